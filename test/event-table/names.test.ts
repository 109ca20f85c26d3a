import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { durableTriggerSql, eventTableSql } from '../../lib/index.js';
import { triggerSql } from '../../lib/sources/postgres/trigger-sql.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { holds } from '../support/property.js';
import { connect, stopAll } from './event-table-rig.js';

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => void (database = await createDatabase()));
beforeEach(async () => {
  client = await connect(database.url);
  await client.query(`${eventTableSql()}; create table if not exists canary (id int)`);
});
afterEach(stopAll);
afterAll(() => database.drop());

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** What means something to SQL, to PL/pgSQL, to format(), or to the blocks that are written here. */
const PIECES = [
  '$sse$ $sse1$ $sse2$ $sse sse$ $$ $ " \' \\ -- /* */ ; end E U& % %s %I . a A 1 ü 📦 : ( ) ,'.split(
    ' ',
  ),
  ['\n', '\r\n', '\t', ' ', 'drop table canary;'],
].flat();
const nameOf = (pieces: readonly string[]) =>
  fc
    .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 7 })
    .map((parts) => parts.join(''))
    .filter((name) => Buffer.byteLength(name) <= 60);
const NAME = nameOf(PIECES);
/** Channels have no control characters. */
const CHANNEL = nameOf(PIECES.filter((piece) => !/\p{Cc}/u.test(piece)));

const RUNS = { quick: 60, soak: 3_000 };

/** Runs SQL in a transaction that is rolled back, with the canary looked at before. */
async function tried(strict: boolean, code: () => Promise<void>): Promise<void> {
  await client.query(`begin; set local standard_conforming_strings = ${strict}`);
  try {
    await code();
    await client.query('select from canary');
  } finally {
    await client.query('rollback');
  }
}

describe('Names in the SQL that we generate', () => {
  it('remain names in durableTriggerSql(), whatever characters they hold', async () => {
    await holds(
      fc.asyncProperty(
        fc.record({ schema: NAME, table: NAME, column: NAME, channel: CHANNEL }),
        fc.boolean(),
        fc.boolean(),
        ({ schema, table, column, channel }, bulk, strict) =>
          tried(strict, async () => {
            const on = `${quoted(schema)}.${quoted(table)}`;
            await client.query(`create schema ${quoted(schema)}; create table ${on} (
              ${quoted(column)} text)`);
            const sql = durableTriggerSql({ schema, table, channel, columns: [column], bulk });
            await client.query(sql);
            await client.query(sql);
            await client.query(`insert into ${on} values ('x')`);
            await client.query('set constraints all immediate');
            const { rows } = await client.query('select topic, event, data::json from sse.event');
            expect(rows).toEqual([{ topic: channel, event: 'insert', data: { [column]: 'x' } }]);
          }),
      ),
      RUNS,
    );
  });

  it('remain names in triggerSql(), whatever characters they hold', async () => {
    await holds(
      fc.asyncProperty(
        fc.record({ schema: NAME, table: NAME, key: NAME, channel: NAME }),
        fc.boolean(),
        ({ schema, table, key, channel }, strict) =>
          tried(strict, async () => {
            const on = `${quoted(schema)}.${quoted(table)}`;
            await client.query(`create schema ${quoted(schema)}; create table ${on} (
              ${quoted(key)} text)`);
            const sql = triggerSql({ schema, table, channel, key });
            await client.query(sql);
            await client.query(sql);
            const { rows } = await client.query<{ args: string }>(
              `select encode(tgargs, 'hex') as args from pg_trigger where tgrelid = $1::regclass`,
              [on],
            );
            const args = Buffer.from(`${channel}\0${key}\0`).toString('hex');
            expect(rows).toEqual([{ args }]);
          }),
      ),
      RUNS,
    );
  });

  it("never make one channel's SQL drop the trigger of another channel", async () => {
    const triggers = async (): Promise<string[]> => {
      const { rows } = await client.query<{ name: string }>(
        `select tgname as name from pg_trigger where tgrelid = 'items'::regclass order by 1`,
      );
      return rows.map(({ name }) => name);
    };
    await client.query('create table items (id int)');
    // The channel "a" may have triggers "sse_event_a_insert" and so on.
    await client.query(durableTriggerSql({ table: 'items', channel: 'a_insert' }));
    await client.query(durableTriggerSql({ table: 'items', channel: 'a' }));
    expect(await triggers()).toEqual(['sse_event_a', 'sse_event_a_insert']);
    const bulk = durableTriggerSql({ table: 'items', channel: 'a', bulk: true });
    await expect(client.query(bulk)).rejects.toThrow('already exists');
    expect(await triggers()).toEqual(['sse_event_a', 'sse_event_a_insert']);
    // And the trigger that notifies "event_a" is called as the one that writes events of "a".
    const notifies = triggerSql({ table: 'items', channel: 'event_a' });
    await expect(client.query(notifies)).rejects.toThrow('already exists');
    expect(await triggers()).toEqual(['sse_event_a', 'sse_event_a_insert']);
  });
});
