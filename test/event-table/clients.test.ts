import knexModule from 'knex';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { connect, record, startInstance, stopAll } from './event-table-rig.js';

let database: TestDatabase;
beforeAll(async () => void (database = await createDatabase()));
afterEach(stopAll);
afterAll(() => database.drop());

/** The forms in which clients answer, each over a transaction of a real connection. */
const FORMS: Record<string, (client: pg.Client) => object> = {
  'a client of pg, with an object that has rows': (client) => client,
  'an EntityManager of TypeORM, with the rows': (client) => ({
    query: async (text: string, values: unknown[]) =>
      (await client.query(text, values)).rows as unknown,
  }),
};

it.each(Object.keys(FORMS))('send() publishes within the transaction of %s', async (form) => {
  const instance = await startInstance(database.url);
  const sink = record(instance, 'orders');
  const client = await connect(database.url);
  const given = FORMS[form]!(client);
  await client.query('begin');
  await instance.table.publish('orders', { data: 'undone' }, { transaction: given });
  await client.query('rollback');
  await client.query('begin');
  const fields = { data: 'done', type: 'order', retry: 5, end: true };
  const id = await instance.table.publish('orders', fields, { transaction: given });
  expect(sink.events).toEqual([]);
  await client.query('commit');
  await until(() => sink.events.length === 1);
  expect(sink.events).toEqual([{ ...fields, position: id }]);
});

it('send() publishes within a transaction of Knex', async () => {
  const instance = await startInstance(database.url);
  const sink = record(instance, 'orders');
  const knex = knexModule.knex({ client: 'pg', connection: database.url });
  try {
    await knex.schema.createTable('orders', (table) => void table.increments());
    const order = (fails: boolean) =>
      knex.transaction(async (trx) => {
        await trx('orders').insert({});
        const client = {
          query: (text: string, values: readonly (string | number | boolean | null)[]) =>
            trx.raw(text.replace(/\$\d+/g, '?'), values),
        };
        await instance.table.publish(
          'orders',
          { data: `fails: ${fails}`, id: 'own' },
          { transaction: client },
        );
        if (fails) throw new Error('undone');
      });
    await expect(order(true)).rejects.toThrow('undone');
    await order(false);
    await until(() => sink.events.length === 1);
    expect(sink.events[0]).toMatchObject({ data: 'fails: false', id: 'own' });
    expect(await knex('orders').select()).toHaveLength(1);
  } finally {
    await knex.destroy();
  }
});

it.each([
  [{}, 'without query(text, values)'],
  [null, 'without query(text, values)'],
  [{ query: () => Promise.resolve('?') }, 'has no rows'],
])('send() refuses %j as its `transaction`', async (client, message) => {
  const instance = await startInstance(database.url);
  await expect(
    instance.table.publish('orders', { data: 'x' }, { transaction: client }),
  ).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining(message),
  });
});
