import { readFile } from 'node:fs/promises';
import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventTableSql, SseChannel } from '../../lib/index.js';
import { SCHEMA_VERSION } from '../../lib/sources/event-table/event-table-sql.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { connect, createInstance, record, startInstance } from './event-table-rig.js';

const database = databaseForEach();
afterEach(closeApps);

/** What `sql --event-table` printed before the constraints. */
const versionTwo = (): Promise<string> =>
  readFile(new URL('version-2.sql', import.meta.url), 'utf8');

const message = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => '',
    (error: Error) => error.message,
  );

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news', { source: 'event-table' })
  news() {}
}

/** Rows that no channel takes, by what is wrong with them. */
const BAD_ROWS = {
  'a name of two lines': `(topic, event, data) values ('news', E'a\\nid: 7', 'x')`,
  'a carriage return in the name': `(topic, event, data) values ('news', E'a\\rb', 'x')`,
  "a name of this module's": `(topic, event, data) values ('news', 'sse:reset', '{"channel":"news"}')`,
  'an id of two lines': `(topic, own_id, data) values ('news', E'a\\ndata: forged', 'x')`,
  'a control character in the id': `(topic, own_id, data) values ('news', E'a\\x01', 'x')`,
  'an id that begins with a blank': `(topic, own_id, data) values ('news', ' a', 'x')`,
  'an id that ends with a blank': `(topic, own_id, data) values ('news', 'a ', 'x')`,
  'an empty id': `(topic, own_id, data) values ('news', '', 'x')`,
  'an id that asks for the oldest event': `(topic, own_id, data) values ('news', 'earliest', 'x')`,
  'a negative retry': `(topic, retry, data) values ('news', -1, 'x')`,
};

describe('The table', () => {
  it('refuses rows that cannot be events', async () => {
    await database.client.query(eventTableSql());
    for (const [what, row] of Object.entries(BAD_ROWS)) {
      const refusal = await message(database.client.query(`insert into sse.event ${row}`));
      expect([what, refusal]).toEqual([what, expect.stringContaining('violates check constraint')]);
    }
    const position = `(topic, own_id, data) values ('news', '1.5', 'x')`;
    expect(await message(database.client.query(`insert into sse.event ${position}`))).toContain(
      'own_id_can_come_back',
    );
    // What is allowed is not refused along with it.
    await database.client.query(
      `insert into sse.event (topic, event, own_id, retry, data)
       values ('news', '', null, 0, ''), ('news', 'sse', 'a b', null, E'\\n'), ('news', 'ü 📦', '1.2.3', 2147483647, 'x')`,
    );
  });

  it('leaves out such rows from before the upgrade, with a reset in their place, live and from history', async () => {
    await database.client.query(await versionTwo());
    for (const row of Object.values(BAD_ROWS)) {
      await database.client.query(`insert into sse.event ${row}`);
    }
    await database.client.query(`select sse.publish('news', 'good')`);
    const app = await startApp({
      controllers: [NewsController],
      options: { postgres: database.url, eventTable: { install: true }, failFast: true },
    });
    const count = Object.keys(BAD_ROWS).length;
    const skipped = JSON.stringify({ channel: 'news', reason: 'skipped-event' });
    const history = await app.connect('/news', { lastEventId: 'earliest' });
    expect((await history.take(count + 1)).map(({ type, data }) => [type, data])).toEqual([
      ...Array.from({ length: count }, () => ['sse:reset', skipped]),
      ['message', 'good'],
    ]);
    // As if another program had dropped the constraints.
    await database.client.query(`alter table sse.event drop constraint event_can_be_sent,
      drop constraint own_id_can_come_back, drop constraint retry_can_be_waited`);
    const live = await app.connect('/news');
    for (const row of Object.values(BAD_ROWS)) {
      await database.client.query(`insert into sse.event ${row}`);
    }
    await database.client.query(`select sse.publish('news', 'live')`);
    expect((await live.take(count + 1)).map(({ type, data }) => [type, data])).toEqual([
      ...Array.from({ length: count }, () => ['sse:reset', skipped]),
      ['message', 'live'],
    ]);
    // Each has its position, at which a client may return.
    const back = await app.connect('/news', { lastEventId: live.events[count - 1]!.id });
    expect(await back.next()).toMatchObject({ data: 'live' });
  });
});

describe('An upgrade from version 2', () => {
  it('keeps the events, and needs `install`', async () => {
    await database.client.query(await versionTwo());
    await database.client.query(`select sse.publish('a', 'from version 2', 'old', 'own', 3, true)`);
    await expect(createInstance(database.url).table.start(true)).rejects.toThrow(
      `has version 2; this release needs ${SCHEMA_VERSION}`,
    );
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    await database.client.query(`select sse.publish('a', 'new')`);
    await until(() => sink.events.length === 1);
    const history = instance.table.open('a', sink).history!;
    expect((await history.read(undefined, 10)).events).toMatchObject([
      { position: '1.1', type: 'old', data: 'from version 2', id: 'own', retry: 3, end: true },
      { position: '1.2', data: 'new' },
    ]);
    // Its partitions are looked after as new ones are.
    await database.client.query('truncate sse.event restart identity');
    expect(await instance.table.publish('a', { data: 'after' })).toBe('1.3');
  });

  it('lets running instances of the previous release go on, on the sessions they have', async () => {
    await database.client.query(await versionTwo());
    const old = await connect(database.url);
    // The statements of that release.
    const page = {
      name: 'sse_page_sse',
      text: `select e.id, e.event, case when ($2::text[] is null or e.topic = any ($2)) and octet_length(e.data) <= 8192 then e.data end as data, e.own_id, e.retry, nullif(e.done, false) as done, case when ($2::text[] is null or e.topic = any ($2)) and octet_length(e.data) > 8192 then octet_length(e.data) end as size, e.topic from "sse".event e
        where e.id > $1 order by e.id limit 500`,
    };
    const read = async (after: number): Promise<string[]> => {
      const { rows } = await old.query<{ data: string }>({ ...page, values: [after, null] });
      return rows.map(({ data }) => data);
    };
    const send = (data: string) =>
      old.query(
        `select id, "sse".timeline() as timeline from "sse".publish_all($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::boolean[]) as id`,
        [['a'], [data], [null], [null], [null], [false]],
      );
    const maintain = async (): Promise<number> => {
      await old.query('select "sse".extend($1, 3)', [10_000]);
      await old.query('select "sse".roll() as rolled');
      const { rows } = await old.query(`select name, low, high, pending, bytes, last,
        extract(epoch from oldest) * 1000 as oldest, extract(epoch from newest) * 1000 as newest from "sse".usage()`);
      return rows.length;
    };
    await old.query(
      'set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off',
    );
    await send('one');
    expect(await read(0)).toEqual(['one']);
    expect(await maintain()).toBe(4);

    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    await send('two');
    await instance.table.publish('a', { data: 'three' });
    await until(() => sink.events.length === 2);
    expect(sink.data).toEqual(['two', 'three']);
    expect(await read(1)).toEqual(expect.arrayContaining(['two', 'three']));
    expect(await maintain()).toBeGreaterThanOrEqual(4);
    for (const statement of [
      'select timeline, last, floor, incarnation from "sse".head()',
      'select "sse".floor() as floor',
      'select "sse".writers() as writers',
      'select "sse".watch(0, 10, 100) as top',
      `select "sse".publish('a', 'four', null, null, 5::integer, false) as id, "sse".timeline() as timeline`,
      'select "sse".drop_partition(\'event_1\')',
    ]) {
      // The waker and the retention hold locks for moments, for which such a session hardly waits.
      const answer = await until(async () => {
        const refusal = await message(old.query(statement));
        return !refusal.includes('lock timeout') && { refusal };
      });
      expect(answer.refusal).toBe('');
    }
    await until(() => sink.data.at(-1) === 'four');
  });

  it('waits for a long transaction without blocking writers', async () => {
    await database.client.query(await versionTwo());
    const holder = await connect(database.url);
    await holder.query('begin; select from sse.event');
    const isLong = `select from pg_stat_activity where state = 'idle in transaction'
      and datname = current_database() and clock_timestamp() - xact_start > interval '2.6 s'`;
    await until(async () => (await database.client.query(isLong)).rowCount === 1);
    const instance = createInstance(database.url, { install: true });
    await instance.table.start(false);
    await until(() => instance.logger.warnings.length === 1);
    expect(instance.logger.warnings[0]).toMatch(
      /an upgrade waits for the transaction of pid \d+, open for \d+ s\. Writers do not wait/,
    );
    // Past a second attempt.
    await database.client.query(`set lock_timeout = '200ms'`);
    for (let n = 0; n < 15; n++) {
      await database.client.query(`select sse.publish('a', 'x'), pg_sleep(0.1)`);
    }
    expect(instance.table.stats.position).toBeUndefined();
    await holder.query('commit');
    await until(() => instance.table.stats.position);
    expect(instance.table.stats.position).toBe('1.15');
  });

  it('repairs a table that has lost its version, as after a script that empties all tables', async () => {
    await startInstance(database.url);
    await database.client.query('truncate sse.meta, sse.history');
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    await instance.table.publish('a', { data: 'x' });
    await until(() => sink.events.length === 1);
    await database.client.query(eventTableSql());
  });
});

describe('The SQL of the event table', () => {
  it('holds ASCII only, so that a database of any encoding takes it', () => {
    // oxlint-disable-next-line no-control-regex
    expect(eventTableSql().match(/[^\x00-\x7f]/g)).toBeNull();
  });
});
