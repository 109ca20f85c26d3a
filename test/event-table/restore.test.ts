import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createDatabase, postgresUrl, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { EventSink, connect, startInstance, stopAll } from './event-table-rig.js';

/** What pg_dump leaves out with --exclude-table-data, and a restore does not bring back. */
const WITHOUT_EVENTS = `set session_replication_role = replica; truncate sse.event;
  set session_replication_role = origin`;
/** As in docs/operating-postgres.md. */
const TELL_ALL = `select setval('sse.event_id_seq', nextval('sse.event_id_seq') + 100000);
  truncate sse.event`;

let database: TestDatabase;
let admin: pg.Client;
let url: string;

/** Writes the 20 events that the dump holds. */
beforeAll(async () => {
  database = await createDatabase();
  admin = new pg.Client({ connectionString: postgresUrl() });
  await admin.connect();
  const { table } = await startInstance(database.url, { waker: false });
  for (let number = 1; number <= 20; number++) await table.publish('a', { data: `${number}` });
  await stopAll();
});
/** Copies the database, as a dump and its restore do. */
beforeEach(async () => {
  const name = `sse_test_${randomBytes(6).toString('hex')}`;
  await admin.query(`create database ${name} template ${nameIn(database.url)}`);
  url = new URL(`/${name}`, database.url).href;
});
afterEach(async () => {
  await stopAll();
  await admin.query(`drop database ${nameIn(url)} with (force)`);
});
afterAll(async () => {
  await admin.end();
  await database.drop();
});

const nameIn = (address: string): string => new URL(address).pathname.slice(1);

/** What clients with these positions receive from the restored database, after one more event. */
async function answers(positions: string[], sql = '') {
  await (await connect(url)).query(sql);
  const { table } = await startInstance(url);
  const { history } = table.open('a', new EventSink());
  const id = await table.publish('a', { data: 'next' });
  await until(() => table.stats.position === id);
  return Promise.all(
    positions.map(async (position) => {
      const { reset, events } = await history!.read(position, 100);
      return [...(reset === undefined ? [] : [reset]), ...events.map(({ data }) => data)];
    }),
  );
}

describe('After the restore of a dump', () => {
  it('clients continue after their positions, and those beyond the dump get a reset', async () => {
    expect(await answers(['1.18', '1.20', '1.25'])).toEqual([
      ['19', '20', 'next'],
      ['next'],
      ['failover'],
    ]);
  });

  it('clients miss events in silence when the dump holds none', async () => {
    expect(await answers(['1.18', '1.20'], WITHOUT_EVENTS)).toEqual([['next'], ['next']]);
  });

  it.each([
    ['of the whole database', ''],
    ['without events', WITHOUT_EVENTS],
  ])('%s, two statements have every client get a reset', async (_, sql) => {
    expect(await answers(['1.18', '1.20', '1.25'], `${sql}; ${TELL_ALL}`)).toEqual([
      ['trimmed'],
      ['trimmed'],
      ['trimmed'],
    ]);
  });
});
