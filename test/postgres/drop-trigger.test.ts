import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type pg from 'pg';
import { dropTriggerSql, triggerSql } from '../../lib/index.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { statements } from './listen-recording.js';

let database: TestDatabase;
let sql: pg.Client;
const heard: string[] = [];
const notices: string[] = [];

beforeAll(async () => {
  database = await createDatabase();
  sql = await statements(database.url);
  sql.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`));
  sql.on('notice', ({ message = '' }) => notices.push(message));
});
beforeEach(async () => {
  await sql.query('drop schema if exists public, app cascade; create schema public');
  heard.length = notices.length = 0;
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

/** What of this module is in the catalogues. */
async function ours(): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(`
    select format('%I on %s', tgname, tgrelid::regclass) as name from pg_trigger where tgname like 'sse%'
    union select oid::regprocedure::text from pg_proc where proname like 'sse%' order by 1`);
  return rows.map(({ name }) => name);
}

const users = { table: 'users', channel: 'user_updates' };

it('removes the trigger and, with the last that calls it, the function', async () => {
  await sql.query('create table users (id int); create table orders (id int)');
  const orders = { table: 'orders', channel: 'orders' };
  const options = { ...users, key: 'id', events: ['insert' as const] };
  await sql.query(triggerSql(options) + triggerSql(orders));
  await sql.query(triggerSql({ ...users, channel: 'others' }));
  await sql.query('listen user_updates; listen others; listen orders');

  await sql.query(dropTriggerSql(options));
  expect(await ours()).toEqual(['sse_notify_row()', 'sse_orders on orders', 'sse_others on users']);
  await sql.query('insert into users values (1); insert into orders values (2)');
  await until(() => heard.length === 2);
  expect(heard).toEqual([
    'others {"sse":"insert","data":{"id":1}}',
    'orders {"sse":"insert","data":{"id":2}}',
  ]);

  await sql.query(dropTriggerSql({ ...users, channel: 'others' }) + dropTriggerSql(orders));
  expect([await ours(), notices]).toEqual([[], []]);
});

it('may be run again at any time, also when the table is gone', async () => {
  await sql.query('create table users (id int)');
  await sql.query(dropTriggerSql(users));
  await sql.query(triggerSql(users));
  await sql.query('drop table users');
  expect(await ours()).toEqual(['sse_notify_row()']);
  await sql.query(dropTriggerSql(users));
  await sql.query(dropTriggerSql(users));
  expect(await ours()).toEqual([]);
  expect(notices).toEqual(
    Array(3).fill('There is no trigger of the channel "user_updates" on "users".'),
  );
});

it('keeps a function that something else uses, and triggers that are not its own', async () => {
  await sql.query('create table users (id int); create table orders (id int)');
  await sql.query(triggerSql(users));
  await sql.query(`
    create trigger mine after delete on orders for each row execute function sse_notify_row('mine');
    create function others() returns trigger language plpgsql as 'begin return null; end';
    create trigger sse_mine after insert on orders for each row execute function others('mine')`);
  await sql.query(dropTriggerSql(users));
  await sql.query(dropTriggerSql({ table: 'orders', channel: 'mine' }));
  expect(await ours()).toEqual(['sse_mine on orders', 'sse_notify_row()']);
});

it('keeps a function that the role does not own', async () => {
  const role = `owner_of_users_${process.pid}`;
  await sql.query(
    `create role ${role}; grant usage on schema public to ${role}; create table users (id int)`,
  );
  await sql.query(`${triggerSql(users)} alter table users owner to ${role}`);
  await sql.query(`set role ${role}; ${dropTriggerSql(users)} reset role`);
  expect(await ours()).toEqual(['sse_notify_row()']);
  expect(notices).toEqual([
    'The function sse_notify_row() stays: must be owner of function sse_notify_row.',
  ]);
  await sql.query(`drop owned by ${role}; drop role ${role}`);
});

it('removes the trigger of a partitioned table from all of its partitions', async () => {
  await sql.query(`create table users (id int) partition by range (id);
    create table users_1 partition of users for values from (0) to (100)`);
  await sql.query(triggerSql(users));
  expect(await ours()).toContain('sse_user_updates on users_1');
  await expect(sql.query(dropTriggerSql({ ...users, table: 'users_1' }))).rejects.toThrow(
    'trigger sse_user_updates on table users requires it',
  );
  await sql.query(dropTriggerSql(users));
  expect(await ours()).toEqual([]);
});

it.each([
  ['a schema', { table: 'app.users', channel: 'c' }, 'app.users'],
  ['quotes and backslashes', { table: `"a ""b'"`, channel: `it's "\\'; --` }, `"a ""b'"`],
  ['a dot, by option', { table: 'a.b', schema: 'app', channel: 'what?' }, 'app."a.b"'],
  ['63 bytes', { table: 't'.repeat(63), channel: 'c'.repeat(63) }, 't'.repeat(63)],
])('finds a trigger whose names have %s', async (_, target, table) => {
  await sql.query(`create schema app; create table ${table} (id int)`);
  await sql.query(triggerSql(target));
  expect(await ours()).toHaveLength(2);
  await sql.query(`set search_path = app, public`);
  await sql.query(dropTriggerSql(target));
  await sql.query('reset search_path');
  expect(await ours()).toEqual([]);
});
