import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Redis } from 'ioredis';
import { startRedis } from './redis.js';

/** The variable in which Jest's global set-up leaves the address of its Postgres server. */
export const POSTGRES_URL_VARIABLE = 'NESTJS_SSE_TEST_POSTGRES';

/** A Postgres database that belongs to one test file. */
export interface TestDatabase {
  readonly url: string;
  /** Ends the database's sessions and removes it. */
  drop(): Promise<void>;
}

/** The superuser's URL of the Postgres server that the ordinary tests share. */
export function postgresUrl(): string {
  const url = process.env['DATABASE_URL'] ?? process.env[POSTGRES_URL_VARIABLE];
  if (url) return url;
  throw new Error(
    'No Postgres for the tests: run them with "npm test", which starts one, or set DATABASE_URL.',
  );
}

/**
 * Creates an empty database on the shared server.
 *
 * @param encoding such as `LATIN1`. Default: UTF8
 */
export async function createDatabase(encoding = 'UTF8'): Promise<TestDatabase> {
  const name = `sse_test_${randomBytes(6).toString('hex')}`;
  const url = new URL(postgresUrl());
  await execute(url.href, async (client) => {
    const { rows } = await client.query<{ isNew: boolean }>(
      `select current_setting('server_version_num')::int >= 150000 as "isNew"`,
    );
    // As older versions do: it costs half of what the default costs, which writes all to the log.
    const strategy = rows[0]!.isNew ? 'strategy file_copy' : '';
    await client.query(
      `create database ${name} template template0 encoding '${encoding}' locale 'C' ${strategy}`,
    );
  });
  const own = new URL(url);
  own.pathname = `/${name}`;
  return {
    url: own.href,
    drop: () =>
      execute(url.href, (client) => client.query(`drop database if exists ${name} with (force)`)),
  };
}

async function execute(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** A Redis for one test file. */
export interface TestRedis {
  readonly url: string;
  /** Begin every key and channel name with it: the server may be shared. */
  readonly keyPrefix: string;
  /** Removes the keys with the prefix, or the server if it was started for this file. */
  drop(): Promise<void>;
}

/** Gives a test file its own Redis server, or a key prefix on the one that `REDIS_URL` names. */
export async function createRedis(): Promise<TestRedis> {
  const keyPrefix = `sse-test-${randomBytes(6).toString('hex')}:`;
  const shared = process.env['REDIS_URL'];
  if (!shared) {
    const server = await startRedis();
    return { url: server.url, keyPrefix, drop: () => server.stop() };
  }
  return { url: shared, keyPrefix, drop: () => removeKeys(shared, keyPrefix) };
}

async function removeKeys(url: string, prefix: string): Promise<void> {
  const redis = new Redis(url);
  try {
    for await (const keys of redis.scanStream({ match: `*${prefix}*`, count: 1_000 })) {
      if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]));
    }
  } finally {
    redis.disconnect();
  }
}
