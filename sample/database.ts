import pg from 'pg';
import { durableTriggerSql, eventTableSql, triggerSql } from '../lib/index.js';
import { startPostgres } from '../test/support/postgres.js';
import { StartError, maskUrl } from './settings.js';

/** The Postgres the sample runs on, ready for use. */
export interface Database {
  readonly url: string;
  /** Which one it is, to be shown to people. */
  readonly description: string;
  /** Stops the embedded server and removes its folder. Does nothing to a server of yours. */
  close(): Promise<void>;
}

/** Opens the database at `url`, or starts an embedded one, and creates what the sample needs in it. */
export async function openDatabase(url: string | undefined): Promise<Database> {
  if (url !== undefined) {
    await prepareDatabase(url);
    return { url, description: maskUrl(url), close: async () => {} };
  }
  const server = await startPostgres().catch((cause: unknown) => {
    throw new StartError(
      `The embedded Postgres did not start: ${describe(cause)}. Set DATABASE_URL to use a Postgres of yours.`,
      { cause },
    );
  });
  try {
    await prepareDatabase(server.url);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    url: server.url,
    description: 'embedded, in a temporary folder',
    close: () => server.stop(),
  };
}

/** Creates the tables and their triggers. Changes nothing where they are already there. */
export async function prepareDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => {});
    throw new StartError(
      `Postgres at ${maskUrl(url)} cannot be used: ${describe(error)}. Start it or correct DATABASE_URL; without DATABASE_URL the sample brings its own.`,
    );
  }
  try {
    // Two samples that start at once on one database would get in each other's way.
    await client.query(`select pg_advisory_lock(hashtext('nestjs-sse-channels sample'))`);
    await client.query(`
      create table if not exists users (
        id integer generated always as identity primary key,
        name text not null,
        status text not null
      )`);
    await client.query('select id, name, status from users limit 0').catch((error: unknown) => {
      throw new StartError(
        `The database has a table "users" that is not the sample's: ${describe(error)}. Point DATABASE_URL to an empty database.`,
      );
    });
    await client.query(triggerSql({ table: 'users', channel: 'user_updates', key: 'id' }));
    await client.query(`
      create table if not exists orders (
        id integer generated always as identity primary key,
        item text not null
      )`);
    await client.query('select id, item from orders limit 0').catch((error: unknown) => {
      throw new StartError(
        `The database has a table "orders" that is not the sample's: ${describe(error)}. Point DATABASE_URL to an empty database.`,
      );
    });
    await client.query(eventTableSql());
    await client.query(durableTriggerSql({ table: 'orders', channel: 'orders' }));
  } finally {
    await client.end();
  }
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join(', ');
  return error instanceof Error ? error.message : String(error);
}
