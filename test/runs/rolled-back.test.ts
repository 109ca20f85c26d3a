import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { Subject } from 'rxjs';
import type { SseModuleOptions } from '../../lib/index.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { createDatabase } from '../support/databases.js';
import { startRedis } from '../support/redis.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ChatsController } from './chats.js';
import { textOf, whole } from './store-writer.js';

/** A system that can lose the newest chunks of the run in the channel `chat:a`, as a failover does. */
interface System {
  readonly options: SseModuleOptions;
  lose(count: number): Promise<void>;
  stop(): Promise<void>;
}

const SYSTEMS: Record<string, () => Promise<System>> = {
  async Redis() {
    const server = await startRedis();
    const admin = new Redis(server.url);
    return {
      options: { broker: 'redis', redis: server.url },
      async lose(count) {
        const record = `sse:{chat:a}:run:${await admin.get('sse:{chat:a}:run')}`;
        const chunks = `${record}:chunks`;
        const newest = await admin.xrevrange(chunks, '+', '-', 'COUNT', count + 1);
        const head = newest.pop()![0];
        await admin
          .multi()
          .xdel(chunks, ...newest.map(([id]) => id))
          .call('XSETID', chunks, head)
          .hset(record, 'h', Number.parseInt(head, 10))
          .exec();
      },
      async stop() {
        admin.disconnect();
        await server.stop();
      },
    };
  },

  async 'the event table'() {
    const database = await createDatabase();
    return {
      options: { broker: 'event-table', postgres: database.url, eventTable: { install: true } },
      async lose(count) {
        const admin = new pg.Client({ connectionString: database.url });
        await admin.connect();
        await admin.query(`with run as (
            update sse.run set head = head - ${count} where channel = 'chat:a' returning number, head
          ) delete from sse.run_chunk using run where run = number and seq > head`);
        await admin.end();
      },
      stop: () => database.drop(),
    };
  },
};

const COUNT = 10;

const received = ({ events }: SseTestClient): readonly string[] =>
  events.filter(({ type }) => type !== 'sse:open').map(({ data }) => data);

describe.each(Object.keys(SYSTEMS))('A run whose newest chunks %s has lost', (name) => {
  let system: System;

  afterEach(async () => {
    await closeApps();
    await system.stop();
  });

  const ends: Record<string, (source: Subject<string>, stop: () => Promise<unknown>) => unknown> = {
    'goes on': (source) => source.next('one more'),
    'is stopped': (_, stop) => stop(),
    'is quiet': () => undefined,
  };

  const tries = Object.keys(ends).flatMap((end) => [1, 2, 3].map((lost) => ({ end, lost })));

  it.each(tries)('is lost for all who have them: it $end, $lost lost', async ({ end, lost }) => {
    system = await SYSTEMS[name]!();
    const start = () =>
      startApp({
        controllers: [ChatsController],
        options: { ...system.options, failFast: true, drainTimeout: 100 },
      });
    const [owner, other] = [await start(), await start()];
    const source = new Subject<string>();
    const begun = owner.sse.run('chat:a', () => source, { lease: 1_500 });
    await until(() => source.observed);
    for (let number = 1; number <= COUNT; number++) source.next(textOf(number));
    const run = await begun;
    const clients = [await owner.connect('/chats/a'), await other.connect('/chats/a')];
    await until(() => clients.every((client) => received(client).length === COUNT));
    await system.lose(lost);
    await ends[end]!(source, () => other.sse.stop('chat:a'));
    await until(() => clients.every((client) => received(client).includes('[DONE]')));
    const all = [
      ...whole(COUNT).slice(0, COUNT),
      expect.stringContaining('"reason":"lost"'),
      '[DONE]',
    ];
    expect(clients.map(received)).toEqual([all, all]);
    for (const { connect } of [owner, other]) {
      const lastEventId = clients[0]!.events.at(-4 - lost)!.id!;
      const late = await connect('/chats/a', { lastEventId });
      await until(() => received(late).includes('[DONE]'));
      expect(late.events.at(-2)!.type).toMatch(/^sse:(error|stopped)$/);
    }
    expect((await run.done).reason).toBe(end === 'is stopped' ? 'stopped' : 'lost');
  });
});
