import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { SseChannel } from '../../lib/index.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { statements } from './listen-recording.js';

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createDatabase();
  client = await statements(database.url);
});
afterEach(closeApps);
afterAll(async () => {
  await client.end();
  await database.drop();
});

@Controller()
class StreamsController {
  @Sse('orders')
  @SseChannel('orders')
  orders() {}

  @Sse('users')
  @SseChannel('users', { source: 'postgres' })
  users() {}
}

/** How many connections have each name. */
async function connections(): Promise<Record<string, number>> {
  const { rows } = await client.query<{ name: string; count: number }>(
    `select application_name as name, count(*)::int as count from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() group by 1`,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

const start = (postgres: string | pg.Pool = database.url) =>
  startApp({
    options: { postgres, broker: 'event-table', eventTable: { install: true }, failFast: true },
    controllers: [StreamsController],
  });

const twenty = <T>(work: () => T): T[] => Array.from({ length: 20 }, work);

/** Waits until there are these connections, and checks that there are no others. */
async function expectConnections(expected: Record<string, number>): Promise<void> {
  // A connection of this file has no name; what comes or goes may still be listed.
  const wanted = Object.entries({ '': 0, ...expected });
  const now = await until(async () => {
    const all = await connections();
    return wanted.every(([name, count]) => (all[name] ?? 0) === count) && all;
  });
  expect(now).toEqual(expected);
}

const IDLE = { 'nestjs-sse-channels event table': 1, 'nestjs-sse-channels waker': 1 };
const BUSY = { ...IDLE, 'nestjs-sse-channels statements': 4 };

it('An instance has 2 connections, up to 6 when it is busy, and 7 with LISTEN', async () => {
  const before = await start();
  const ids = await Promise.all(twenty(() => before.sse.send('orders', 'x')));
  await before.close();

  const app = await start();
  await app.connect('/orders');
  await expectConnections(IDLE);

  // All statements wait for the lock, so that they are under way at the same time.
  const locker = await statements(database.url);
  await locker.query('begin; lock table sse.event');
  const busy = [
    ...ids.map(async (lastEventId, index) => {
      const returned = await app.connect('/orders', { lastEventId });
      await returned.take(20 - index);
    }),
    ...twenty(() => app.sse.send('orders', 'x')),
    ...twenty(() => app.sse.notify('users', 'x')),
  ];
  await until(async () => (await connections())['nestjs-sse-channels statements'] === 4);
  await locker.query('rollback');
  await locker.end();
  await Promise.all(busy);
  await expectConnections(BUSY);

  await app.connect('/users');
  await app.connect('/users');
  await expectConnections({ ...BUSY, 'nestjs-sse-channels listen': 1 });

  await app.close();
  await until(async () => Object.keys(await connections()).length === 0);
});

it('A second instance has one less while another is elected, and a pool given has no others', async () => {
  const first = await start();
  await expectConnections(IDLE);
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  try {
    const second = await start(pool);
    await Promise.all(twenty(() => second.sse.notify('users', 'x')));
    await expectConnections({ '': 1, ...IDLE, 'nestjs-sse-channels event table': 2 });
    await first.close();
    await expectConnections({ '': 1, ...IDLE });
    await second.close();
  } finally {
    await pool.end();
  }
});
