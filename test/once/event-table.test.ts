import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventTableSql, type SseModuleOptions } from '../../lib/index.js';
import { databaseForEach } from '../event-table/each-database.js';
import { connect } from '../event-table/event-table-rig.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { arrived, dataOf } from './arrived.js';

const database = databaseForEach();
afterEach(closeApps);

const start = async (options: SseModuleOptions = {}) =>
  (
    await startApp({
      options: {
        broker: 'event-table',
        postgres: database.url,
        eventTable: { install: true },
        failFast: true,
        ...options,
      },
    })
  ).sse;

const keys = async (): Promise<number> => {
  const { rows } = await database.client.query('select count(*)::int as count from sse.once');
  return (rows as [{ count: number }])[0].count;
};

describe('An idempotency key in the event table', () => {
  it('is known to an instance that starts later', async () => {
    const first = await (await start()).send('a', 'b', { idempotencyKey: 'k' });
    await closeApps();
    const sse = await start();
    expect(await sse.send('a', 'b', { idempotencyKey: 'k' })).toBe(first);
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['b']);
  });

  it('is free after a rollback, and taken after a commit', async () => {
    const sse = await start();
    const client = await connect(database.url);
    const within = (data: string) =>
      sse.send('a', data, { idempotencyKey: 'k', transaction: client });
    await client.query('begin');
    const undone = await within('undone');
    expect(await within('again')).toBe(undone);
    await client.query('rollback');
    await client.query('begin');
    await client.query('savepoint s');
    await within('undone, too');
    await client.query('rollback to savepoint s');
    const kept = await within('kept');
    await client.query('commit');
    expect(await sse.send('a', 'late', { idempotencyKey: 'k' })).toBe(kept);
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['kept']);
  });

  it('that an open transaction holds makes nobody wait but those who send it', async () => {
    const sse = await start();
    const client = await connect(database.url);
    await client.query('begin');
    const first = await sse.send('a', 'first', { idempotencyKey: 'k', transaction: client });
    let isSettled = false;
    const retry = sse.send('a', 'retry', { idempotencyKey: 'k' }).finally(() => {
      isSettled = true;
    });
    const others = await sse.sendAll([
      { channel: 'a', data: 'plain' },
      { channel: 'a', data: 'keyed', idempotencyKey: 'another' },
    ]);
    expect(others.map(({ status }) => status)).toEqual(['sent', 'sent']);
    expect(isSettled).toBe(false);
    await client.query('commit');
    expect(await retry).toBe(first);
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['first', 'plain', 'keyed']);
  });

  it('lets two transactions send it one after the other', async () => {
    const sse = await start();
    const [one, two] = [await connect(database.url), await connect(database.url)];
    await one.query('begin');
    await two.query('begin');
    const first = await sse.send('a', 'one', { idempotencyKey: 'k', transaction: one });
    const second = sse.send('a', 'two', { idempotencyKey: 'k', transaction: two });
    await until(async () => {
      const { rows } = await database.client.query(
        `select from pg_locks where locktype = 'advisory' and not granted`,
      );
      return rows.length > 0;
    });
    await one.query('rollback');
    expect(await second).not.toBe(first);
    await two.query('commit');
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['two']);
  });

  it('is in SQL as well: sse.publish_once()', async () => {
    const sse = await start();
    const publish = async (args: string) =>
      (await database.client.query(`select * from sse.publish_once(${args})`)).rows[0] as object;
    const first = await publish(`'a', 'from SQL', 'k'`);
    expect(first).toEqual({ event_id: '1', own_id: null, timeline: 1, duplicate: false });
    expect(await publish(`'a', 'again', 'k'`)).toEqual({ ...first, duplicate: true });
    expect(await sse.send('a', 'again', { idempotencyKey: 'k' })).toBe('1.1');
    const other = await sse.send('a', 'from Node', { idempotencyKey: 'n', id: 'own' });
    expect(await publish(`'a', 'again', 'n'`)).toMatchObject({ own_id: other, duplicate: true });
    await publish(`'a', 'all', 'all', 'kind', 'own-2', 5, false, '1 second'`);
    expect(await arrived(sse, 'a')).toMatchObject([
      { data: 'from SQL' },
      { data: 'from Node', id: 'own' },
      { data: 'all', type: 'kind', id: 'own-2', retry: 5 },
    ]);
    for (const [args, why] of [
      [`'a', 'b', ''`, 'the idempotency key is ""'],
      [`'a', 'b', repeat('x', 257)`, 'the idempotency key is "xxx'],
      [`'a', 'b', null`, 'the idempotency key is'],
      [`'a', 'b', E'a\\nb'`, 'the idempotency key is'],
      [`'a', 'b', 'k', keep => '1 day 1 second'`, 'is kept for 86401000 milliseconds'],
      [`'a', 'b', 'k', keep => null`, 'is kept for <NULL> milliseconds'],
      [`'sse:control', 'b', 'k'`, 'the topic'],
      [`'a', 'b', 'k', event => 'sse:join'`, "the event's name"],
    ] as const) {
      await expect(publish(args)).rejects.toThrow(why);
    }
  });

  it('goes when its window is over, some thousands at a time', async () => {
    const sse = await start({ eventTable: { install: true, retainInterval: 200 } });
    await sse.send('a', 'kept', { idempotencyKey: 'kept' });
    await database.client.query(
      `insert into sse.once (topic, key, event_id, timeline, expires)
       select 'a', n::text, n, 1, now() - interval '1 second' from generate_series(1, 12000) n`,
    );
    await until(async () => (await keys()) === 1);
  });

  it('is free when its event was refused, and others of the statement are sent', async () => {
    const sse = await start();
    await database.client.query(`alter table sse.event add check (data <> 'bad') not valid`);
    const send = (data: string) =>
      sse.sendAll(
        ['1', '2', '3'].map((key) => ({
          channel: 'a',
          data: key === '2' ? data : key,
          idempotencyKey: key,
        })),
      );
    expect((await send('bad')).map(({ status }) => status)).toEqual(['sent', 'failed', 'sent']);
    expect(await send('good')).toMatchObject([
      { duplicate: true },
      { duplicate: false },
      { duplicate: true },
    ]);
    expect(await keys()).toBe(3);
  });

  it('outlives the removal of its event, until it is removed as well', async () => {
    const sse = await start();
    const send = () => sse.sendAll([{ channel: 'a', data: 'b', idempotencyKey: 'k' }]);
    const [first] = await send();
    for (const removal of ['delete from sse.event', 'truncate sse.event restart identity']) {
      await database.client.query(removal);
      expect(await send()).toEqual([{ ...first, duplicate: true }]);
    }
    expect(await arrived(sse, 'a')).toEqual([]);
    await database.client.query('truncate sse.event, sse.once');
    const [again] = await send();
    expect(again).toMatchObject({ status: 'sent', duplicate: false });
    expect(again).not.toMatchObject({ id: (first as { id: string }).id });
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['b']);
  });

  it('comes with the upgrade of a table of version 4', async () => {
    await database.client.query(await readFile('test/event-table/version-4.sql', 'utf8'));
    await database.client.query(`select sse.publish('a', 'before')`);
    const sse = await start();
    const first = await sse.send('a', 'keyed', { idempotencyKey: 'k' });
    expect(await sse.send('a', 'keyed', { idempotencyKey: 'k' })).toBe(first);
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['before', 'keyed']);
  });

  it('may be used by a role that has no rights on the tables', async () => {
    await database.client.query(eventTableSql());
    await database.client.query(
      `create role once_publisher; grant usage on schema sse to once_publisher`,
    );
    const client = await connect(database.url);
    try {
      await client.query('set role once_publisher');
      await client.query(`select * from sse.publish_once('a', 'b', 'k')`);
      await client.query(
        `select * from sse.publish_all_once('{a}', '{b}', '{null}', '{null}', '{null}', '{false}', '{k}', '{1000}')`,
      );
      await expect(client.query('select from sse.once')).rejects.toThrow('permission denied');
      await expect(
        client.query(
          `select sse.publish_keyed('a', 'b', null, null, null, false, 'k', 1000, false)`,
        ),
      ).rejects.toThrow('permission denied');
    } finally {
      await client.end();
      await database.client.query(`drop owned by once_publisher; drop role once_publisher`);
    }
  });
});
