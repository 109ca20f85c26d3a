import { afterEach, describe, expect, it } from '@jest/globals';
import { Ages } from '../../lib/sources/event-table/ages.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { connect, record, startInstance } from './event-table-rig.js';

const database = databaseForEach();
const HOUR = 3_600_000;

describe('A step of the clock', () => {
  const { now } = Date;
  afterEach(() => void (Date.now = now));

  it.each([
    ['back by an hour', -HOUR],
    ['forward by a year', 365 * 24 * HOUR],
  ])('of this machine, %s, neither stops delivery nor empties the table', async (_, step) => {
    const instance = await startInstance(database.url, {
      retainInterval: 20,
      partitionSize: 10_000,
    });
    const sink = record(instance, 'a');
    await instance.table.publish('a', { data: 'before' });
    await until(() => sink.events.length === 1);
    Date.now = () => now() + step;
    // What is held back by an open writer, and what the waker finds.
    const writer = await connect(database.url);
    await writer.query(`begin; select sse.publish('a', 'open')`);
    await database.client.query(`select sse.publish('a', 'held back')`);
    await writer.query('commit');
    await until(() => sink.events.length === 3);
    const { bytes } = await until(() => instance.table.stats.disk);
    await database.client.query(
      `select sse.publish('a', repeat(md5(random()::text), 3000)) from generate_series(1, 10)`,
    );
    await until(() => instance.table.stats.disk!.bytes > bytes && sink.events.length === 13);
    expect(sink.resets).toEqual([]);
    const { rows } = await database.client.query('select count(*)::int as count from sse.event');
    expect(rows).toEqual([{ count: 13 }]);
  });

  it("of the database server's machine does not make events look older than they are", async () => {
    // Our statements see this clock; what the table's columns are filled with does not change.
    await database.client.query(`
      create table step (by interval); insert into step values ('0');
      create sequence looks;
      create function public.clock_timestamp() returns timestamptz language sql volatile as
        'select pg_catalog.clock_timestamp() + step.by from public.step, nextval(''public.looks'')';
      do $$ begin
        execute format('alter database %I set search_path = public, pg_catalog', current_database());
      end $$`);
    const looks = async (): Promise<number> => {
      const { rows } = await database.client.query<{ count: string }>(
        'select last_value as count from looks',
      );
      return Number(rows[0]!.count);
    };
    const instance = await startInstance(database.url, {
      retain: { age: HOUR },
      retainInterval: 20,
      partitionSize: 10_000,
    });
    await instance.table.publish('a', { data: 'x' });
    await until(() => instance.table.stats.disk?.oldest);
    const parts = async () =>
      (await database.client.query('select name, low from sse.partitions() order by low')).rows;
    await until(async () => (await parts()).length === 4);
    const before = await parts();
    await database.client.query(`update step set by = '1 day'`);
    const seen = await looks();
    await until(async () => (await looks()) > seen + 20);
    expect(await parts()).toEqual(before);
    expect((await instance.table.publish('a', { data: 'y' })).split('.')[1]).toBe('2');
  });
});

describe('The age of a row', () => {
  it("comes from the server's clock once, and grows by our own clock from then on", () => {
    const ages = new Ages();
    const look = (row: string, age: number, now: number): number => {
      const result = ages.of(row, age, now);
      ages.turn();
      return result;
    };
    expect(look('a', 1_000, 0)).toBe(1_000);
    expect(look('a', 86_400_000, 500)).toBe(1_500);
    expect(look('a', -3_600_000, 700)).toBe(1_700);
    // Of a row that was written before the server's clock was set back.
    expect(look('b', -3_600_000, 1_000)).toBe(0);
    expect(look('b', -3_590_000, 11_000)).toBe(10_000);
    // One that is gone is forgotten.
    expect(look('a', 5, 12_000)).toBe(5);
  });
});
