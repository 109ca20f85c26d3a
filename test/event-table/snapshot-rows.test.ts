import { setTimeout } from 'node:timers/promises';
import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { durableTriggerSql, eventTableSql, SseChannel, type SseSnapshot } from '../../lib/index.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { connect, stopAll } from './event-table-rig.js';

const SEATS = 50;
const CHANGES = sized({ quick: 400, soak: 20_000 });
const CLIENTS = sized({ quick: 10, soak: 50 });

interface Seat {
  readonly id: number;
  readonly taken: number;
}

let database: TestDatabase;
let pool: pg.Pool;

/** The seats and their sum, by two queries of one transaction. */
async function hall() {
  const client = await pool.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    const { rows: seats } = await client.query<Seat>('select id, taken from seat');
    const { rows } = await client.query<{ sum: string }>('select sum(taken) from seat');
    await client.query('commit');
    return { seats, sum: Number(rows[0]!.sum) };
  } finally {
    client.release();
  }
}

@Controller()
class HallController {
  @Sse('hall')
  @SseChannel('hall', { source: 'event-table', snapshot: hall })
  events() {}
}

/** The seats as a page has them after everything that it received. */
function seatsOf({ events }: SseTestClient): Map<number, number> {
  const seats = new Map<number, number>();
  for (const { type, data } of events) {
    if (type === 'sse:snapshot') {
      const { state } = JSON.parse(data) as SseSnapshot<Awaited<ReturnType<typeof hall>>>;
      seats.clear();
      state.seats.forEach(({ id, taken }) => seats.set(id, taken));
      expect(state.seats.reduce((sum, { taken }) => sum + taken, 0)).toBe(state.sum);
    } else {
      const { id, taken } = JSON.parse(data) as Seat;
      seats.set(id, taken);
    }
  }
  return seats;
}

beforeAll(async () => {
  database = await createDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 5 });
  const client = await connect(database.url);
  await client.query(eventTableSql());
  await client.query('create table seat (id integer primary key, taken integer not null)');
  await client.query('insert into seat select id, 0 from generate_series(1, $1) id', [SEATS]);
  await client.query(durableTriggerSql({ table: 'seat', channel: 'hall' }));
});
afterEach(async () => {
  await closeApps();
  await stopAll();
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

it('rows that a snapshot reads in REPEATABLE READ and later events are the rows of the table', async () => {
  const app = await startApp({
    controllers: [HallController],
    options: { postgres: database.url, eventTable: {}, failFast: true },
  });
  let changed = 0;
  /** Transactions that overlap, of which some are rolled back, and some take their time to commit. */
  const change = async (): Promise<void> => {
    const client = await connect(database.url);
    while (changed < CHANGES) {
      const nth = ++changed;
      await client.query('begin');
      await client.query('update seat set taken = taken + 1 where id = $1', [1 + (nth % SEATS)]);
      if (nth % 20 === 0) {
        await setTimeout(5);
      }
      await client.query(nth % 7 === 0 ? 'rollback' : 'commit');
    }
  };
  const writing = Promise.all([change(), change(), change()]);
  const clients: SseTestClient[] = [];
  while (clients.length < CLIENTS) {
    const opened = changed;
    clients.push(await app.connect('/hall'));
    await until(() => changed >= Math.min(CHANGES, opened + CHANGES / CLIENTS / 2));
  }
  await writing;
  const { rows } = await pool.query<Seat>('select id, taken from seat');
  const wanted = new Map(rows.map(({ id, taken }) => [id, taken]));
  const isFinal = (client: SseTestClient) => {
    const seats = seatsOf(client);
    return rows.every(({ id, taken }) => seats.get(id) === taken);
  };
  await until(() => clients.every(isFinal), { every: 50 }).catch(() => undefined);
  for (const client of clients) {
    expect(seatsOf(client)).toEqual(wanted);
  }
});
