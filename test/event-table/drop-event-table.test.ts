import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  dropDurableTriggerSql,
  dropEventTableSql,
  durableTriggerSql,
  eventTableSql,
} from '../../lib/index.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { connect, startInstance } from './event-table-rig.js';

const database = databaseForEach();
let notices: string[];

beforeEach(() => {
  notices = [];
  database.client.on('notice', ({ message = '' }) => {
    // Not those of "drop … if exists".
    if (!message.endsWith('does not exist, skipping')) notices.push(message);
  });
});

const run = (sql: string) => database.client.query(sql);

/** Everything in the database but what Postgres brings. */
async function left(): Promise<string[]> {
  const { rows } = await run(`
    with mine as (select oid from pg_namespace where nspname !~ '^(pg_|information_schema)')
    select 'schema ' || nspname as name from pg_namespace where oid in (select oid from mine) and nspname <> 'public'
    union select 'relation ' || oid::regclass from pg_class where relnamespace in (select oid from mine)
    union select 'function ' || oid::regprocedure from pg_proc where pronamespace in (select oid from mine)
    union select 'type ' || oid::regtype from pg_type where typnamespace in (select oid from mine)
    union select 'trigger ' || tgname from pg_trigger where not tgisinternal order by 1`);
  return (rows as { name: string }[]).map(({ name }) => name);
}

describe('dropEventTableSql', () => {
  it.each(['sse', 'Events'])('leaves nothing of the table in the schema %s', async (schema) => {
    await run(eventTableSql({ schema }));
    expect(await left()).not.toEqual([]);
    await run(dropEventTableSql({ schema }));
    expect(await left()).toEqual([]);
    await run(dropEventTableSql({ schema }));
    expect(notices).toEqual([`There is no event table in the schema "${schema}".`]);
  });

  it.each(['version-1.sql', 'version-2.sql', 'version-4.sql'])(
    'removes the table of %s, too',
    async (file) => {
      await run(await readFile(`test/event-table/${file}`, 'utf8'));
      await run(dropEventTableSql());
      expect(await left()).toEqual([]);
    },
  );

  it('removes a table that was in use, after it has had its events', async () => {
    const instance = await startInstance(database.url);
    await instance.table.publish('a', { data: 'x' });
    await instance.stop();
    await expect(run(dropEventTableSql())).rejects.toThrow(
      'there are events in the event table in the schema "sse". Empty it first (truncate "sse".event), or use --force',
    );
    await run('truncate sse.event');
    await run(dropEventTableSql());
    expect(await left()).toEqual([]);
  });

  it('refuses while triggers write to the table, and names them', async () => {
    await run('create table orders (id int); create table "Items" (id int)');
    const before = await left();
    await run(eventTableSql());
    await run(durableTriggerSql({ table: 'orders', channel: 'orders' }));
    await run(durableTriggerSql({ table: 'Items', channel: 'i:{id}', bulk: true }));
    const after = await left();
    await expect(run(dropEventTableSql())).rejects.toThrow(
      'triggers write to the event table in the schema "sse": sse_event_orders on orders, ' +
        '"sse_event_i:{id}_delete" on "Items", "sse_event_i:{id}_insert" on "Items", ' +
        '"sse_event_i:{id}_update" on "Items". Drop them first, or use --force',
    );
    expect(await left()).toEqual(after);
    await run('insert into orders values (1)');
    await run(dropEventTableSql({ force: true }));
    expect(await left()).toEqual(before);
    await run('insert into orders values (2); insert into "Items" values (3)');
  });

  it('lets no event come between its look and the drop', async () => {
    await run(eventTableSql());
    const writer = await connect(database.url);
    await writer.query('begin');
    await writer.query(`select sse.publish('a', 'x')`);
    const dropped = run(dropEventTableSql()).catch((error: Error) => error.message);
    await until(async () => {
      const { rows } =
        await writer.query(`select from pg_locks where not granted and relation = 'sse.event'::regclass
        and database = (select oid from pg_database where datname = current_database())`);
      return rows.length === 1;
    });
    await writer.query('commit');
    expect(await dropped).toMatch(/there are events/);
    expect((await run('select from sse.event')).rowCount).toBe(1);
  });

  it.each([
    ['presence', 'event'],
    ['once', 'event'],
    ['run', 'run_chunk'],
  ])('waits for no instance that waits for it, with a lock on %s', async (first, second) => {
    await run(eventTableSql());
    const other = await connect(database.url);
    await other.query(`begin; lock table sse.${first} in row exclusive mode`);
    const dropped = run(dropEventTableSql());
    const isWaiting = async () =>
      (
        await other.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        )
      ).rowCount;
    await until(isWaiting);
    await other.query(`lock table sse.${second} in row exclusive mode`);
    await other.query('commit');
    await dropped;
    expect(await left()).toEqual([]);
  });

  it('removes a partition that the retention has detached and not dropped', async () => {
    await run(eventTableSql());
    await run('alter table sse.event detach partition sse.event_1');
    await run(dropEventTableSql());
    expect(await left()).toEqual([]);
  });

  it('removes it for a moment only while an instance with `install: true` is running', async () => {
    const instance = await startInstance(database.url, { pollInterval: 50 });
    await run(dropEventTableSql());
    await until(async () => (await left()).includes('relation sse.event'));
    await until(() => !instance.table.stats.outage);
    await instance.table.publish('a', { data: 'x' });
  });

  it('keeps the schema, and what else is in it', async () => {
    await run(eventTableSql());
    await run(
      'create table sse.notes (id int); create function sse.floor(x int) returns int language sql as $$ select x $$',
    );
    await run(dropEventTableSql());
    expect(await left()).toEqual([
      'function sse.floor(integer)',
      'relation sse.notes',
      'schema sse',
      'type sse.notes',
      'type sse.notes[]',
    ]);
    expect(notices).toEqual([
      expect.stringContaining('The schema "sse" stays: cannot drop schema'),
    ]);
  });

  it('keeps the schema public, even when nothing else is in it', async () => {
    await run(eventTableSql({ schema: 'public' }));
    await run(dropEventTableSql({ schema: 'public' }));
    expect(await left()).toEqual([]);
    await run('create table orders (id int)');
    expect(notices).toEqual([]);
  });

  it('touches no other table of the name, and nothing that others depend on', async () => {
    await run(
      'create schema app; create table app.event (topic text); create table app.meta (version int)',
    );
    const before = await left();
    await run(dropEventTableSql({ schema: 'app', force: true }));
    expect(await left()).toEqual(before);
    await run(eventTableSql());
    await run('create view app.recent as select * from sse.event');
    await expect(run(dropEventTableSql({ force: true }))).rejects.toThrow(
      'cannot drop table sse.event',
    );
    await run(`select sse.publish('a', 'x')`);
  });

  it('needs no more than to own the table', async () => {
    const role = `dropper_${process.pid}`;
    await run(
      `drop role if exists ${role}; create role ${role}; create schema sse; grant usage, create on schema sse to ${role}`,
    );
    await run(`set role ${role}; ${eventTableSql()} ${dropEventTableSql()} reset role`);
    expect(await left()).toEqual(['schema sse']);
    expect(notices).toEqual([expect.stringContaining('must be owner of schema sse')]);
    await run(`drop owned by ${role}; drop role ${role}`);
  });
});

describe('dropDurableTriggerSql', () => {
  const orders = { table: 'orders', channel: 'order:{id}' };

  it.each([false, true])('removes the triggers of a channel, bulk: %s', async (bulk) => {
    await run('create table orders (id int)');
    await run(eventTableSql());
    await run(dropDurableTriggerSql(orders));
    await run(durableTriggerSql({ table: 'orders', channel: 'all' }));
    const before = await left();
    await run(durableTriggerSql({ ...orders, bulk, columns: ['id'] }));
    await run(dropDurableTriggerSql({ ...orders, bulk, columns: ['id'] }));
    await run(dropDurableTriggerSql(orders));
    expect(await left()).toEqual(before);
    await run('insert into orders values (7)');
    const { rows } = await run('select topic from sse.event');
    expect(rows).toEqual([{ topic: 'all' }]);
    await run('drop table orders');
    await run(dropDurableTriggerSql(orders));
    expect(notices).toEqual(
      Array(3).fill('There is no trigger of the channel "order:{id}" on "orders".'),
    );
  });

  it('leaves triggers that write to another event table', async () => {
    await run('create table orders (id int)');
    await run(eventTableSql() + eventTableSql({ schema: 'other' }));
    await run(durableTriggerSql({ ...orders, eventSchema: 'other' }));
    await run(dropDurableTriggerSql(orders));
    expect(await left()).toContain('trigger sse_event_other/order:{id}');
    await run(dropDurableTriggerSql({ ...orders, eventSchema: 'other' }));
    expect(await left()).not.toContain('trigger sse_event_other/order:{id}');
  });

  it('lets a table feed the same channel of two event tables', async () => {
    await run('create table orders (id int)');
    await run(eventTableSql() + eventTableSql({ schema: 'other' }));
    await run(durableTriggerSql(orders));
    await run(durableTriggerSql({ ...orders, eventSchema: 'other' }));
    await run(durableTriggerSql({ ...orders, bulk: true }));
    await run('insert into orders values (7)');
    const { rows } = await run(
      'select topic from sse.event union all select topic from other.event',
    );
    expect(rows.map(({ topic }: { topic: string }) => topic)).toEqual(['order:7', 'order:7']);
  });
});
