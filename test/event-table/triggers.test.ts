import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { channelName, durableTriggerSql } from '../../lib/index.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { connect, record, startInstance, stopAll, type Instance } from './event-table-rig.js';

let database: TestDatabase;
let instance: Instance;
let client: pg.Client;
beforeAll(async () => void (database = await createDatabase()));
beforeEach(async () => {
  instance = await startInstance(database.url);
  client = await connect(database.url);
});
afterEach(stopAll);
afterAll(() => database.drop());

describe('durableTriggerSql', () => {
  it('publishes each changed row to the channel at the end of the transaction', async () => {
    await client.query('create table orders (id int primary key, total numeric(20,2), note text)');
    const sql = durableTriggerSql({ table: 'orders', channel: 'orders' });
    await client.query(sql);
    await client.query(sql);
    const sink = record(instance, 'orders');
    await client.query('begin');
    await client.query(`insert into orders values (1, 12345678901234567.80, 'ü "quoted"')`);
    await client.query('savepoint s');
    await client.query(`insert into orders values (2, 1, 'undone')`);
    await client.query('rollback to s');
    await client.query('update orders set total = 2 where id = 1');
    expect((await client.query('select from sse.event')).rowCount).toBe(0);
    await client.query('commit');
    await client.query('delete from orders');
    await until(() => sink.events.length === 3);
    expect(sink.events.map(({ type, data }) => [type, data])).toEqual([
      ['insert', '{"id":1,"total":12345678901234567.80,"note":"ü \\"quoted\\""}'],
      ['update', '{"id":1,"total":2.00,"note":"ü \\"quoted\\""}'],
      ['delete', '{"id":1,"total":2.00,"note":"ü \\"quoted\\""}'],
    ]);
  });

  it('refuses a schema without the event table, and the event table itself', async () => {
    await client.query('create table lone (id int)');
    await expect(
      client.query(durableTriggerSql({ table: 'lone', channel: 'c', eventSchema: 'Other' })),
    ).rejects.toThrow('There is no event table in the schema "Other". Create it first');
    for (const table of ['sse.event', 'sse.event_1']) {
      await expect(client.query(durableTriggerSql({ table, channel: 'c' }))).rejects.toThrow(
        /The table "sse"\."event(_1)?" is the event table\..*choose another table/,
      );
    }
    await client.query(`select sse.publish('a', 'x')`);
  });

  it('sends the listed columns or the key, and fills a channel template as channelName() does', async () => {
    await client.query('create table "My Items" ("Tenant Id" text, "Id" int, secret text)');
    const columns = ['Id', 'Tenant Id'];
    await client.query(
      durableTriggerSql({ table: 'My Items', channel: 'item:{Tenant Id}:{Id}', columns }),
    );
    const tenant = "a:b/ü €!'()*{x} 100%~.-_";
    const sink = record(instance, channelName('item:{tenant}:{id}', { tenant, id: 7 }));
    await client.query(
      "insert into \"My Items\" values ($1, 7, 'hidden'), (null, 8, ''), ('', 9, '')",
      [tenant],
    );
    await until(() => sink.events.length === 1);
    expect(JSON.parse(sink.data[0]!)).toEqual({ Id: 7, 'Tenant Id': tenant });
    // Rows without a value in the template belong to no channel.
    const { rows } = await client.query(`select from sse.event where topic like 'item:%'`);
    expect(rows).toHaveLength(1);
  });

  it('publishes bulk statements in their order, by one trigger per statement', async () => {
    await client.query('create table bulk (id int, grp text)');
    await client.query(durableTriggerSql({ table: 'bulk', channel: 'bulk', bulk: true }));
    await client.query(
      durableTriggerSql({ table: 'bulk', channel: 'bulk:{grp}', columns: ['id'], bulk: true }),
    );
    const all = record(instance, 'bulk');
    const group = record(instance, 'bulk:b');
    await client.query(
      `insert into bulk select n, case when n % 2 = 0 then 'a' else 'b' end from generate_series(1, 10000) n`,
    );
    await client.query('update bulk set id = id where id <= 10');
    await client.query('delete from bulk where id = 3');
    await client.query('delete from bulk where false');
    await until(() => all.events.length === 10_011 && group.events.length === 5_006);
    const inserted = all.data
      .slice(0, 10_000)
      .map((data) => (JSON.parse(data) as { id: number }).id);
    expect(inserted).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1));
    expect(all.events.slice(10_000).map(({ type }) => type)).toEqual([
      ...Array<string>(10).fill('update'),
      'delete',
    ]);
    expect(group.data.at(-1)).toBe('{"id":3}');
  });

  it('changes a trigger from one form to the other, and lets one table feed several channels', async () => {
    await client.query('create table forms (id int)');
    await client.query(durableTriggerSql({ table: 'forms', channel: 'forms', bulk: true }));
    await client.query(durableTriggerSql({ table: 'forms', channel: 'forms', events: ['insert'] }));
    await client.query(
      durableTriggerSql({ table: 'public.forms', channel: `long-${'x'.repeat(200)}` }),
    );
    const sink = record(instance, 'forms');
    const long = record(instance, `long-${'x'.repeat(200)}`);
    await client.query('insert into forms values (1)');
    await client.query('delete from forms');
    await until(() => long.events.length === 2);
    expect(sink.events.map(({ type }) => type)).toEqual(['insert']);
  });

  it('publishes rows of 10 MB, and any number of them', async () => {
    await client.query('create table large (id int, text text)');
    await client.query(durableTriggerSql({ table: 'large', channel: 'large' }));
    const sink = record(instance, 'large');
    const history = instance.table.open('large', sink).history!;
    const start = (await client.query<{ last: string }>('select last from sse.head()')).rows[0]!
      .last;
    for (let number = 0; number < 5; number++) {
      await client.query(`insert into large select $1, repeat(md5(random()::text), 10 * 32768)`, [
        number,
      ]);
    }
    await until(() => new Set(sink.events.map(({ position }) => position)).size === 5);
    expect(sink.data.every((data) => data.length > 10_000_000)).toBe(true);
    let position = `1.${start}`;
    let pages = 0;
    for (let last = false; !last;) {
      const page = await history.read(position, 100);
      position = page.events.at(-1)?.position ?? position;
      pages += page.events.length > 0 ? 1 : 0;
      expect(page.events.length).toBeLessThanOrEqual(1);
      last = page.last;
    }
    expect(pages).toBe(5);
  });

  it('refuses a column that does not exist, at creation and after the column was renamed', async () => {
    await client.query('create table cols (id int, name text)');
    const refused = (sql: string) =>
      client.query(sql).then(
        () => '',
        (error: Error) => error.message,
      );
    expect(await refused(durableTriggerSql({ table: 'cols', channel: 'c:{idd}' }))).toBe(
      'The table "cols" has no column "idd".',
    );
    await client.query(durableTriggerSql({ table: 'cols', channel: 'c:{id}', columns: ['name'] }));
    await client.query('alter table cols rename name to title');
    expect(await refused(`insert into cols values (1, 'x')`)).toContain('names the column "name"');
    await client.query('alter table cols rename title to name');
    await client.query('alter table cols rename id to number');
    expect(await refused(`insert into cols values (1, 'x')`)).toContain('names the column "id"');
  });
});
