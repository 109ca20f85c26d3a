import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { startPidChangingProxy } from '../postgres/listen-pooler-proxy.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { connect, stopAll } from './event-table-rig.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('both')
  @SseChannel(() => ['news', 'other'])
  both() {}
}

@Controller()
class TableController {
  @Sse('table')
  @SseChannel('news', { source: 'event-table' })
  table() {}
}

describe("broker: 'event-table'", () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await createDatabase()));
  afterEach(async () => {
    await closeApps();
    await stopAll();
  });
  afterAll(() => database.drop());

  const start = (options: SseModuleOptions = {}) =>
    startApp({
      controllers: [NewsController],
      options: {
        postgres: database.url,
        broker: 'event-table',
        eventTable: { install: true },
        failFast: true,
        ...options,
      },
    });

  it('delivers what one instance sends to the clients of every instance, under the same ids', async () => {
    const [one, two] = [await start(), await start()];
    const clients = [await one.connect('/news'), await two.connect('/news')];
    const ids = [
      await one.sse.send('news', { n: 1 }, { type: 'article' }),
      await two.sse.send('news', 'two', { retry: 1_234 }),
    ];
    for (const client of clients) {
      const [first, second] = await client.take(2);
      expect(first).toMatchObject({ type: 'article', data: '{"n":1}', id: ids[0] });
      expect(second).toMatchObject({ type: 'message', data: 'two', id: ids[1] });
      expect(client.retry).toBe(1_234);
    }
  });

  it('resumes clients on an instance that started later, by position and by an id of the publisher', async () => {
    const one = await start();
    const first = await one.sse.send('news', 'a');
    await one.sse.send('news', 'b', { id: 'own id ü' });
    await one.sse.send('news', 'c');
    const two = await start();
    const late = await two.connect('/news', { lastEventId: first });
    expect((await late.take(2)).map(({ data, id }) => [data, id])).toEqual([
      ['b', 'own id ü'],
      ['c', expect.stringMatching(/^1\.\d+$/)],
    ]);
    const own = await two.connect('/news?lastEventId=own%20id%20%C3%BC');
    await two.sse.send('news', 'd');
    expect((await own.take(2)).map(({ data }) => data)).toEqual(['c', 'd']);
    const composite = await two.connect('/both', { lastEventId: 'earliest' });
    await until(() => composite.events.length >= 4);
    expect(composite.events.slice(-2).map(({ data }) => data)).toEqual(['c', 'd']);
  });

  it('ends a run on every instance, answers a returning client with 204, and lets new clients wait', async () => {
    const [one, two] = [await start(), await start()];
    const clients = [await one.connect('/news'), await two.connect('/news')];
    const end = await one.sse.complete('news');
    for (const client of clients) {
      expect(await client.closed).toMatchObject({ by: 'server' });
      expect(client.events.at(-1)).toMatchObject({ data: '[DONE]', id: end });
    }
    // On an instance that has the event in its log, and on one that has to ask the table.
    const three = await start();
    for (const app of [one, three]) {
      const back = await app.connect('/news', { lastEventId: end });
      expect(back.opened.status).toBe(204);
    }
    const next = await two.connect('/news');
    await one.sse.send('news', 'next run');
    expect(await next.next()).toMatchObject({ data: 'next run' });
  });

  it('sends a reset to clients whose position it cannot continue from', async () => {
    const app = await start();
    const id = await app.sse.send('news', 'x');
    const reasons: Record<string, string> = {
      'no such position': 'unknown-position',
      '1.99999999': 'failover',
      [`7.${id.split('.')[1]}`]: 'failover',
      '1.-5': 'unknown-position',
      '1.99999999999999999999999': 'unknown-position',
    };
    for (const [lastEventId, reason] of Object.entries(reasons)) {
      const client = await app.connect('/news', { lastEventId });
      expect(await client.next()).toMatchObject({
        type: 'sse:reset',
        data: JSON.stringify({ channel: 'news', reason }),
        id: expect.stringMatching(/^1\.\d+(~next)?$/),
      });
      await client.close();
    }
  });

  it('works beside another broker, and streams what plain SQL publishes', async () => {
    const app = await startApp({
      controllers: [TableController, NewsController],
      options: { postgres: database.url, eventTable: { install: true }, failFast: true },
    });
    const table = await app.connect('/table');
    const memory = await app.connect('/news');
    const client = await connect(database.url);
    await client.query(`select sse.publish('news', '{"from":"SQL"}', 'hello')`);
    expect(await table.next()).toMatchObject({ type: 'hello', data: '{"from":"SQL"}' });
    await app.sse.send('news', 'in this process');
    expect(await memory.next()).toMatchObject({ data: 'in this process' });
    expect(table.events).toHaveLength(1);
    expect(app.sse.stats().eventTable).toMatchObject({ outage: false, stuck: undefined });
  });

  it("publishes within the application's transaction, so that nobody sees an event that was rolled back", async () => {
    const app = await start();
    const reader = await app.connect('/news');
    const client = await connect(database.url);
    await client.query('begin');
    await app.sse.send('news', 'rolled back', { transaction: client });
    await client.query('rollback');
    await client.query('begin');
    const id = await app.sse.send('news', 'committed', {
      transaction: client,
      type: 'order',
      id: 'order-1',
    });
    expect(id).toBe('order-1');
    await client.query('commit');
    await app.sse.send('news', 'after');
    expect((await reader.take(2)).map(({ data }) => data)).toEqual(['committed', 'after']);
    expect(reader.events[0]).toMatchObject({ type: 'order', id: 'order-1' });
  });

  it('starts through a pooler with `failFast` and `listen: false`', async () => {
    const pooler = await startPidChangingProxy(database.url);
    const eventTable = { install: true, listen: false, pollInterval: 50 };
    try {
      const app = await start({ postgres: pooler.url, eventTable });
      const client = await app.connect('/news');
      await app.sse.send('news', 'through the pooler');
      expect(await client.next()).toMatchObject({ data: 'through the pooler' });
    } finally {
      await closeApps();
      await pooler.close();
    }
  });

  it('survives a send() that fails and that nobody awaits', async () => {
    const errors: string[] = [];
    const logger = { log() {}, warn() {}, error: (message: string) => void errors.push(message) };
    const app = await startApp({
      options: { postgres: 'postgres://127.0.0.1:1/none', broker: 'event-table' },
      logger: { ...logger, debug() {}, verbose() {}, fatal() {} } as never,
    });
    void app.sse.send('news', 'lost');
    void app.sse.send('news', 'lost too');
    await expect(app.sse.send('news', 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(
      errors.filter((message) => message.startsWith('An event was not accepted')),
    ).toHaveLength(1);
  });

  it.each([
    [{ broker: 'event-table' }, "`broker: 'event-table'` needs Postgres"],
    [{ eventTable: {} }, '`eventTable` needs Postgres'],
    [{ postgres: 'postgres://x', eventTable: { shema: 'x' } }, 'no option `eventTable.shema`'],
    [
      { postgres: 'postgres://x', eventTable: { schema: 'a"b' } },
      'letters, digits and underscores',
    ],
    [
      { postgres: 'postgres://x', eventTable: { retain: { age: 0 } } },
      '`eventTable.retain.age` is 0',
    ],
    [
      { postgres: 'postgres://x', eventTable: { partitionSize: 10 } },
      '`eventTable.partitionSize` is 10',
    ],
    [{ postgres: 'postgres://x', eventTable: { listen: 'no' } }, '`eventTable.listen` is "no"'],
  ])('refuses the options %j', async (options, message) => {
    await expect(startApp({ options: options as SseModuleOptions })).rejects.toThrow(message);
  });
});
