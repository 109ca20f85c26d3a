import knexModule from 'knex';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  dropDurableTriggerSql,
  dropEventTableSql,
  dropTriggerSql,
  durableTriggerSql,
  eventTableSql,
  triggerSql,
} from '../../lib/index.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';

let database: TestDatabase;
beforeAll(async () => void (database = await createDatabase()));
afterAll(() => database.drop());

const target = { table: 'orders', channel: 'what?' };
const SQL = {
  eventTableSql: eventTableSql(),
  triggerSql: triggerSql({ ...target, key: 'id' }),
  durableTriggerSql: durableTriggerSql({ ...target, columns: ['id'] }),
  'durableTriggerSql, bulk': durableTriggerSql({ ...target, channel: 'o:{id}?', bulk: true }),
};

const DROP = {
  dropTriggerSql: dropTriggerSql(target),
  dropDurableTriggerSql: dropDurableTriggerSql(target),
  'dropDurableTriggerSql, bulk': dropDurableTriggerSql({ ...target, channel: 'o:{id}?' }),
  dropEventTableSql: dropEventTableSql({ force: true }),
};

it.each(Object.entries({ ...SQL, ...DROP }))(
  'The SQL of %s holds nothing that Knex takes for a placeholder',
  (_, sql) => {
    expect(sql).not.toContain('?');
    // A cast is none: Knex looks for names in a given object only, and leaves others as they are.
    expect(sql.replaceAll('::', '').match(/:[a-z]\w*/gi) ?? []).toEqual([]);
  },
);

it('Our SQL runs through raw() of Knex, with and without bindings, and works', async () => {
  const knex = knexModule.knex({ client: 'pg', connection: database.url });
  try {
    await knex.raw('create table orders (id int primary key)');
    for (const sql of Object.values(SQL)) {
      await knex.raw(sql);
      await knex.raw(sql, {});
    }
    await knex.raw('insert into orders values (7)');
    const { rows } = await knex.raw('select topic, data from sse.event order by topic');
    expect(rows).toEqual([
      { topic: 'o:7?', data: '{"id":7}' },
      { topic: 'what?', data: '{"id":7}' },
    ]);
    await expect(knex.raw(`select sse.publish('x', '', null, ' blank')`)).rejects.toThrow('blanks');
    await expect(knex.raw(`select sse.publish('x', '', null, 'a blank?')`)).resolves.toBeDefined();
    for (const sql of Object.values(DROP)) {
      await knex.raw(sql);
      await knex.raw(sql, {});
    }
    const ours = await knex.raw(`select tgname::text from pg_trigger where tgname like 'sse%'
      union select nspname from pg_namespace where nspname = 'sse'
      union select proname from pg_proc where proname like 'sse%'`);
    expect(ours.rows).toEqual([]);
  } finally {
    await knex.destroy();
  }
});
