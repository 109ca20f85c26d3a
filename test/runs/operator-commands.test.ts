import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { SseModuleOptions, SseRun } from '../../lib/index.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { createDatabase } from '../support/databases.js';
import { startRedis } from '../support/redis.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ChatsController } from './chats.js';
import { textOf, whole } from './store-writer.js';

/** A store of runs, and what whoever operates it may do to it. */
interface Operated {
  readonly options: SseModuleOptions;
  /** Ends the connections of all instances. */
  cut(): Promise<unknown>;
  /** Removes all runs. */
  empty(): Promise<unknown>;
  stop(): Promise<void>;
}

const STORES: Record<string, () => Promise<Operated>> = {
  async redis() {
    const redis = await startRedis();
    const client = new Redis(redis.url);
    const kill = (type: string) => client.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
    return {
      options: { broker: 'redis', redis: redis.url },
      cut: async () => [await kill('normal'), await kill('pubsub')],
      empty: () => client.flushall(),
      async stop() {
        client.disconnect();
        await redis.stop();
      },
    };
  },

  async 'event-table'() {
    const database = await createDatabase();
    const client = new pg.Client(database.url);
    await client.connect();
    return {
      options: { broker: 'event-table', postgres: database.url, eventTable: { install: true } },
      cut: () =>
        client.query(
          'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
        ),
      empty: () => client.query('truncate sse.run, sse.run_chunk restart identity'),
      async stop() {
        await client.end();
        await database.drop();
      },
    };
  },
};

const received = ({ events }: SseTestClient): readonly string[] =>
  events.filter(({ type }) => type !== 'sse:open').map(({ data }) => data);

const isOver = (client: SseTestClient): boolean => received(client).includes('[DONE]');

const IDS = ['a', 'b', 'c', 'd'];

describe.each(Object.keys(STORES))('Runs on %s', (name) => {
  let store: Operated;
  let apps: TestApp[];

  beforeAll(async () => void (store = await STORES[name]!()));
  afterEach(closeApps);
  afterAll(() => store.stop());

  /** Begins the runs on two instances, and follows each on three. */
  async function begin(lease: number, isEnough: () => boolean) {
    const start = () =>
      startApp({
        controllers: [ChatsController],
        options: { ...store.options, drainTimeout: 100, failFast: true },
      });
    apps = [await start(), await start(), await start()];
    const runs = await Promise.all(
      IDS.map((id, nth) => apps[nth % 2]!.sse.run(`chat:${id}`, () => count(isEnough), { lease })),
    );
    const clients = await Promise.all(
      IDS.flatMap((id) => apps.map(({ connect }) => connect(`/chats/${id}`))),
    );
    await until(() => clients.every((client) => received(client).length > 3));
    return { runs, clients };
  }

  async function ends(runs: readonly SseRun[], clients: readonly SseTestClient[]) {
    await until(() => clients.every(isOver));
    const reasons = new Set(
      (await Promise.all(runs.map(({ done }) => done))).map((end) => end.reason),
    );
    expect(apps.map(({ sse }) => sse.stats().runs)).toEqual([0, 0, 0]);
    return [...reasons];
  }

  it('are whole for all who follow while somebody ends all connections again and again', async () => {
    let cuts = 0;
    const { runs, clients } = await begin(60_000, () => cuts === 10);
    for (; cuts < 10; cuts++) {
      await store.cut();
      await sleep(50);
    }
    expect(await ends(runs, clients)).toEqual(['completed']);
    for (const [nth, client] of clients.entries()) {
      const { chunks } = await runs[Math.floor(nth / 3)]!.done;
      expect(received(client)).toEqual(whole(chunks - 1));
    }
  });

  it('are lost, with one end for each who follows, when somebody empties the store', async () => {
    const { runs, clients } = await begin(3_000, () => false);
    await store.empty();
    expect(await ends(runs, clients)).toEqual(['lost']);
    for (const client of clients) {
      const texts = received(client);
      const chunks = whole(texts.length).slice(0, texts.length - 2);
      expect(texts).toEqual([...chunks, expect.stringContaining('"reason":"lost"'), '[DONE]']);
    }
    // The channels are free.
    await Promise.all(IDS.map((id) => apps[2]!.sse.run(`chat:${id}`, () => count(() => true))));
  });
});

async function* count(isEnough: () => boolean): AsyncGenerator<string> {
  for (let number = 1; number === 1 || !isEnough(); number++) {
    yield textOf(number);
    await sleep(5, undefined, { ref: false });
  }
}
