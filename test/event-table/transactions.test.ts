import pg from 'pg';
import { describe, expect, it } from '@jest/globals';
import { databaseForEach } from './each-database.js';
import { connect, startInstance } from './event-table-rig.js';

const database = databaseForEach();

/** An ORM's error around the server's. */
const wrapped = (client: pg.Client, wrap: (error: unknown) => object) => ({
  query: async (text: string, values: unknown[]) => {
    try {
      return await client.query(text, values);
    } catch (error) {
      throw Object.assign(new Error('Failed query: select …'), wrap(error));
    }
  },
});

/** An error of Prisma's, as its adapter makes it of the server's. */
const ofPrisma = (error: unknown) => {
  const { code: originalCode, message: originalMessage } = error as pg.DatabaseError;
  const cause = { originalCode, originalMessage, kind: 'TransactionWriteConflict' };
  return { code: 'P2010', meta: { driverAdapterError: Object.assign(new Error(), { cause }) } };
};

const start = async () => {
  const { table } = await startInstance(database.url, { waker: false });
  const client = await connect(database.url);
  return {
    client,
    publish: (transaction: unknown, event = {}) =>
      table.publish('orders', { data: 'x', ...event }, { transaction }),
  };
};

describe('send() within a transaction', () => {
  it('rejects with the reason when the transaction was aborted before', async () => {
    const { client, publish } = await start();
    await client.query('begin');
    await expect(client.query('select 1 / 0')).rejects.toThrow('division by zero');
    for (const transaction of [
      client,
      wrapped(client, (cause) => ({ cause })),
      wrapped(client, (driverError) => ({ driverError })),
      wrapped(client, ofPrisma),
    ]) {
      await expect(publish(transaction)).rejects.toMatchObject({
        name: 'SseError',
        code: 'TRANSACTION_FAILED',
        message: expect.stringMatching(/a statement before it had failed.*Roll it back/),
        cause: expect.any(Error),
      });
    }
    await expect(publish(client)).rejects.toMatchObject({ cause: { code: '25P02' } });
  });

  it('rejects with the reason when the transaction is read-only', async () => {
    const { client, publish } = await start();
    await client.query('begin read only');
    await expect(publish(client)).rejects.toMatchObject({
      code: 'TRANSACTION_FAILED',
      message: expect.stringContaining('the transaction is read-only'),
      cause: { code: '25006' },
    });
  });

  it('rejects with the reason when its client is closed', async () => {
    const { client, publish } = await start();
    await client.end();
    await expect(publish(client)).rejects.toMatchObject({
      code: 'TRANSACTION_FAILED',
      message: expect.stringMatching(/did not write the event: .*closed/),
      cause: expect.any(Error),
    });
  });

  it('rejects with the reason when the server has ended its connection', async () => {
    const { client, publish } = await start();
    client.on('error', () => undefined);
    await client.query('begin');
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await database.client.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
    await expect(publish(client)).rejects.toMatchObject({
      name: 'SseError',
      cause: expect.any(Error),
    });
  });

  it("rejects with the client's own error when the transaction must be repeated, so that a retry finds the SQLSTATE", async () => {
    const { client, publish } = await start();
    await database.client.query(`create table public.account (id int primary key, sum int);
      insert into public.account values (1, 0), (2, 0);
      create function public.again() returns trigger language plpgsql as $$
        begin update public.account set sum = 2 where id = 1; return new; end $$;
      create trigger again before insert on sse.event for each row execute function public.again()`);
    await client.query('begin isolation level repeatable read; select from public.account');
    await database.client.query('update public.account set sum = 1 where id = 1');
    await expect(publish(client)).rejects.toMatchObject({ name: 'error', code: '40001' });
    await client.query(
      'rollback; begin isolation level repeatable read; select from public.account',
    );
    await database.client.query('update public.account set sum = 3 where id = 1');
    await expect(publish(wrapped(client, ofPrisma))).rejects.toMatchObject({ code: 'P2010' });
    await client.query('rollback; begin isolation level repeatable read');
    await publish(client);
    await client.query('commit');
  });

  it("rejects an event that the table refuses, with the table's reason", async () => {
    const { client, publish } = await start();
    await client.query('begin');
    for (const id of ['1.42', '01.5', '1.12345678901234567890']) {
      await expect(publish(client, { id })).rejects.toMatchObject({
        code: 'INVALID_EVENT',
        message: expect.stringMatching(
          /could be a position of the event table\. Choose another form/,
        ),
      });
    }
    // Nothing of this reached the server, which would have aborted the transaction.
    await publish(client);
    await client.query('commit');
  });

  it('refuses a pool, which would write outside of the transaction', async () => {
    const { publish } = await start();
    const pool = new pg.Pool({ connectionString: database.url });
    try {
      await expect(publish(pool)).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('`transaction` is a pool'),
      });
    } finally {
      await pool.end();
    }
  });

  it('rejects with the remedy where the role may not write to the table', async () => {
    const { client, publish } = await start();
    const role = `weak_${process.pid}`;
    await database.client.query(`drop role if exists ${role}; create role ${role}`);
    try {
      await client.query(`begin; set local role ${role}`);
      await expect(publish(client)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('The role may not use the event table'),
        cause: { code: '42501' },
      });
      await client.query('rollback');
    } finally {
      await database.client.query(`drop role ${role}`);
    }
  });
});

it('send() rejects with an SseError when a trigger of the application refuses the row', async () => {
  const { table } = await startInstance(database.url, { waker: false });
  await database.client.query(`create function public.never() returns trigger language plpgsql as $$
      begin raise exception 'not this one'; end $$;
    create trigger never before insert on sse.event for each row execute function public.never()`);
  await expect(table.publish('orders', { data: 'x' })).rejects.toMatchObject({
    name: 'SseError',
    code: 'UNAVAILABLE',
    message: 'Postgres refused the event: not this one.',
    cause: { code: 'P0001' },
  });
});
