import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { durableTriggerSql, eventTableSql, triggerSql } from '../../lib/index.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { connect, stopAll } from './event-table-rig.js';

let database: TestDatabase;
let client: pg.Client;
let heard: string[];
beforeAll(async () => void (database = await createDatabase()));
beforeEach(async () => {
  client = await connect(database.url);
  heard = [];
  client.on('notification', ({ payload }) => heard.push(payload!));
});
afterEach(async () => {
  await client.query('drop schema if exists sse cascade; drop table if exists orders, log cascade');
  await stopAll();
});
afterAll(() => database.drop());

const run = (sql: string) => client.query(sql);

/** What the event table got since the last call, such as `insert 1`. */
async function taken(): Promise<string[]> {
  const { rows } = await run(
    `with gone as (delete from sse.event returning id, event || ' ' || (data::json ->> 'id') as text)
     select text from gone order by id`,
  );
  return (rows as { text: string }[]).map(({ text }) => text);
}

/** Creates the table with a trigger that writes to the event table, and the event table. */
async function withTrigger(orders: string, bulk = false): Promise<void> {
  await run(orders);
  await run(eventTableSql());
  await run(durableTriggerSql({ table: 'orders', channel: 'orders', bulk }));
}

const PLAIN = 'create table orders (id int primary key, total int)';
const PARTED = `create table orders (id int, total int) partition by range (id);
  create table orders_low partition of orders for values from (0) to (100);
  create table orders_high partition of orders for values from (100) to (200)`;

describe.each([false, true])('A table whose trigger writes events, bulk: %s,', (bulk) => {
  it('has no event for TRUNCATE', async () => {
    await withTrigger(PLAIN, bulk);
    await run('insert into orders values (1), (2)');
    await run('truncate orders');
    await run('insert into orders values (3)');
    expect(await taken()).toEqual(['insert 1', 'insert 2', 'insert 3']);
  });

  it('has an event for each row that ON CONFLICT and a cascade change', async () => {
    await withTrigger(
      `create table log (id int primary key); insert into log values (1);
      create table orders (id int primary key, total int default 1 references log on delete cascade)`,
      bulk,
    );
    await run('insert into orders values (1), (2)');
    await run('insert into orders values (2), (3) on conflict (id) do update set total = 1');
    await run('delete from log');
    expect((await taken()).sort()).toEqual([
      'delete 1',
      'delete 2',
      'delete 3',
      'insert 1',
      'insert 2',
      'insert 3',
      'update 2',
    ]);
  });
});

it('A table whose trigger notifies has no event for TRUNCATE', async () => {
  await run(PLAIN);
  await run(triggerSql({ table: 'orders', channel: 'orders' }));
  await run('listen orders');
  await run('insert into orders values (1)');
  await run('truncate orders');
  await run('insert into orders values (2)');
  await until(() => heard.length === 2);
  expect(heard).toEqual([1, 2].map((id) => expect.stringContaining(`{"id":${id},`)));
});

describe('A partitioned table', () => {
  it('has an event for each row, also of a partition that is written to directly or comes later', async () => {
    await withTrigger(PARTED);
    await run('insert into orders values (1), (101)');
    await run('insert into orders_low values (2)');
    await run(`create table orders_new (like orders); insert into orders_new values (201);
      alter table orders attach partition orders_new for values from (200) to (300)`);
    await run('insert into orders_new values (202)');
    await run('alter table orders detach partition orders_low');
    await run('insert into orders_low values (3)');
    await run('drop table orders_low, orders_high');
    expect(await taken()).toEqual(['insert 1', 'insert 101', 'insert 2', 'insert 202']);
  });

  it('has a delete and an insert for a row that moves to another partition', async () => {
    await withTrigger(PARTED);
    await run('insert into orders values (1)');
    await run('update orders set id = 101');
    expect(await taken()).toEqual(['insert 1', 'delete 1', 'insert 101']);
  });

  it('writes events for statements that name it, and none for its partitions, when `bulk` is set', async () => {
    await withTrigger(PARTED, true);
    await run('insert into orders values (1), (101)');
    await run('insert into orders_low values (2)');
    await run('update orders set id = id + 100 where id = 1');
    await run(`create table orders_new (like orders);
      alter table orders attach partition orders_new for values from (200) to (300)`);
    await run('insert into orders_new values (201)');
    await run('insert into orders values (202)');
    await run('alter table orders detach partition orders_low');
    await run('insert into orders_low values (3)');
    expect(await taken()).toEqual(['insert 1', 'insert 101', 'update 101', 'insert 202']);
  });
});

it('With `bulk`, the event is written with the statement; without, at the end of the transaction', async () => {
  await withTrigger(PLAIN, true);
  await run('begin');
  await run('insert into orders values (1)');
  expect(await taken()).toEqual(['insert 1']);
  await run('rollback');
  await run(durableTriggerSql({ table: 'orders', channel: 'orders' }));
  await run('begin');
  await run('insert into orders values (1)');
  expect(await taken()).toEqual([]);
  await run('commit');
  expect(await taken()).toEqual(['insert 1']);
});
