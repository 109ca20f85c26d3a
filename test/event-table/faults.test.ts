import { EventSource } from 'eventsource';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventTableSql } from '../../lib/index.js';
import { startPidChangingProxy } from '../postgres/listen-pooler-proxy.js';
import { endAppProcesses, startAppProcess } from '../redis/app-process.js';
import { bundled } from '../support/compiled.js';
import { freePort } from '../support/free-port.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startProxy } from '../support/proxy.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import {
  connect,
  createInstance,
  record,
  startInstance,
  stopAll,
  type EventSink,
} from './event-table-rig.js';
import { faultsOf, NO_FAULTS, range, writeNumbers } from './numbered-events.js';

/** Written while an instance is killed. */
const NUMBERS = sized({ quick: 200, soak: 600 });

let server: PostgresServer;
beforeAll(async () => void (server = await startPostgres({ durable: true })));
beforeEach(async () => {
  const admin = await connect(server.url);
  await admin.query('drop schema if exists sse cascade');
});
afterEach(async () => {
  await endAppProcesses();
  await stopAll();
});
afterAll(() => server.stop());

describe('The event table', () => {
  it.each([
    ['stopped', () => server.stopServer()],
    ['killed', () => server.killServer()],
  ])(
    'loses nothing when the server is %s and started again',
    async (_, end) => {
      const instances = [await startInstance(server.url), await startInstance(server.url)];
      const sinks = instances.map((instance) => record(instance, 'news'));
      await writeNumbers(server.url, 0, 50);
      await end();
      const writing = writeNumbers(server.url, 50, 150);
      await server.startServer();
      await writing;
      for (const sink of sinks) {
        await until(() => sink.data.at(-1) === '149');
        expect(faultsOf(sink.data, range(0, 150))).toEqual(NO_FAULTS);
        expect(sink.resets).toEqual([]);
      }
      for (const { logger } of instances) {
        expect(logger.errors).toEqual([expect.stringContaining('no event is lost')]);
        expect(logger.logs).toEqual([expect.stringContaining('read again')]);
      }
    },
    60_000,
  );

  it('loses nothing when a connection freezes', async () => {
    const proxy = await startProxy(server.url);
    try {
      const instance = await startInstance(proxy.url(server.url));
      const sink = record(instance, 'news');
      await writeNumbers(server.url, 0, 10);
      await until(() => sink.events.length === 10);
      proxy.freeze();
      await writeNumbers(server.url, 10, 40);
      // The reader finds out by itself that no answer comes, and connects anew.
      const before = proxy.accepted;
      await until(() => proxy.accepted > before);
      expect(sink.events).toHaveLength(10);
      proxy.thaw();
      await until(() => sink.data.at(-1) === '39');
      expect(faultsOf(sink.data, range(0, 40))).toEqual(NO_FAULTS);
      expect(sink.resets).toEqual([]);
    } finally {
      await stopAll();
      await proxy.close();
    }
  });

  it('loses nothing when an instance is killed and its clients return to another', async () => {
    const port = await freePort();
    const env = { POSTGRES: server.url, PORT: String(port) };
    const start = () => startAppProcess('', env, [bundled('test/event-table/app-main.ts')]);
    let app = await start();
    const clients = Array.from({ length: 10 }, () => {
      const data: string[] = [];
      const source = new EventSource(`${app.url}/news`);
      source.addEventListener('message', (event) => void data.push(event.data as string));
      const resets: string[] = [];
      source.addEventListener('sse:reset', (event) => void resets.push(event.data));
      return { source, data, resets };
    });
    try {
      await until(() => clients.every(({ source }) => source.readyState === source.OPEN));
      const writing = (async () => {
        for (let number = 0; number < NUMBERS; number += 20) {
          await writeNumbers(server.url, number, number + 20);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      })();
      for (const share of sized({ quick: [50], soak: [50, 200] })) {
        await until(() => clients.every(({ data }) => data.length > share));
        await app.end('SIGKILL');
        app = await start();
      }
      await writing;
      for (const { data, resets } of clients) {
        await until(() => data.at(-1) === `${NUMBERS - 1}`);
        expect(faultsOf(data, range(0, NUMBERS))).toEqual(NO_FAULTS);
        expect(resets).toEqual([]);
      }
    } finally {
      clients.forEach(({ source }) => source.close());
    }
  });

  it('logs an error when somebody drops its table, and goes on once the table is back', async () => {
    const instance = await startInstance(server.url, { install: false }).catch(async () => {
      await (await connect(server.url)).query(eventTableSql());
      return startInstance(server.url, { install: false });
    });
    const sink = record(instance, 'news');
    await writeNumbers(server.url, 0, 3);
    await until(() => sink.events.length === 3);
    const admin = await connect(server.url);
    await admin.query('drop schema sse cascade');
    await until(() => instance.logger.errors.length);
    expect(instance.logger.errors).toEqual([
      expect.stringContaining('The event table is not in the schema "sse"'),
    ]);
    await expect(instance.table.publish('news', { data: 'x' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await admin.query(eventTableSql());
    await until(() => sink.resets.length);
    // Another table numbers anew: what clients have of the old one is no position any more.
    expect(sink.resets).toEqual([expect.stringMatching(/^failover 1\.\d+$/)]);
    await instance.table.publish('news', { data: 'new table' });
    await until(() => sink.data.at(-1) === 'new table');
  });

  it('sends a reset after a failover: on another timeline, or with fewer ids than it has read', async () => {
    const instance = await startInstance(server.url);
    const sink = record(instance, 'news');
    await writeNumbers(server.url, 0, 5);
    await until(() => sink.events.length === 5);
    const admin = await connect(server.url);
    const lose = async (changes: string[], sinks: EventSink[], expected: RegExp) => {
      const before = sinks[0]!.resets.length;
      for (const change of changes) {
        await admin.query(change);
      }
      await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'nestjs-sse-channels%'`,
      );
      await until(() => sinks.every(({ resets }) => resets.length > before));
      expect(sinks[0]!.resets.at(-1)).toMatch(expected);
    };
    // As after a failover to a replica that lacked the last events.
    await lose(
      // One after the other: a sequence that is set back shows at once, a delete with its commit.
      ['delete from sse.event where id > 2', `select setval('sse.event_id_seq', 2)`],
      [sink],
      /^failover 1\.2$/,
    );
    await writeNumbers(server.url, 100, 102);
    await until(() => sink.data.at(-1) === '101');
    // A promotion changes the timeline; here the function that reports it stands for the server.
    await lose(
      [`create or replace function sse.timeline() returns integer language sql as 'select 2'`],
      [sink],
      /^failover 2\.4$/,
    );
    await writeNumbers(server.url, 102, 103);
    await until(() => sink.data.at(-1) === '102');
    expect(sink.events.at(-1)!.position).toBe('2.5');
    const { history } = instance.table.open('news', sink);
    expect(await history!.read('1.3', 10)).toMatchObject({ reset: 'failover' });
    expect(await history!.read('2.4', 10)).toMatchObject({ events: [{ data: '102' }] });
  });

  it('refuses to LISTEN through a pooler and names the remedy, with which it polls through the pooler', async () => {
    const pooler = await startPidChangingProxy(server.url);
    try {
      await expect(
        createInstance(pooler.url, { install: true }).table.start(true),
      ).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(
          /connection pooler.*listenConnection.*eventTable: \{ listen: false \}/,
        ),
      });
      const options = { listen: false, pollInterval: 100, retainInterval: 100 };
      const instances = [
        await startInstance(pooler.url, options),
        await startInstance(pooler.url, options),
      ];
      const sinks = instances.map((instance) => record(instance, 'news'));
      await writeNumbers(server.url, 0, 30);
      await until(() => sinks.every(({ data }) => data.at(-1) === '29'));
      for (const sink of sinks) expect(faultsOf(sink.data, range(0, 30))).toEqual(NO_FAULTS);
      await until(() => instances.every(({ table }) => table.stats.disk));
      expect(instances.flatMap(({ logger }) => logger.warnings)).toEqual([]);
      const direct = await startInstance(pooler.url, { listenConnection: server.url });
      const sink = record(direct, 'news');
      await writeNumbers(server.url, 30, 35);
      await until(() => sink.data.at(-1) === '34');
    } finally {
      await stopAll();
      await pooler.close();
    }
  });

  it('starts while the server is away, and connects once the server is there', async () => {
    await server.stopServer();
    const instance = createInstance(server.url, { install: true });
    await instance.table.start(false);
    const sink = record(instance, 'news');
    await expect(instance.table.publish('news', { data: 'x' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await server.startServer();
    await until(() => sink.isLive);
    await instance.table.publish('news', { data: 'there' });
    await until(() => sink.data[0] === 'there');
  });
});
