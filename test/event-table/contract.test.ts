import { afterAll, beforeAll, describe, it } from '@jest/globals';
import pg from 'pg';
import { testBroker } from '../../lib/testing/index.js';
import { configuredBroker } from '../support/configured-source.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';

let database: TestDatabase;
let writer: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  writer = new pg.Client({ connectionString: database.url });
  await writer.connect();
});

afterAll(async () => {
  await writer.end();
  await database.drop();
});

describe('The event table keeps the contract: it', () => {
  const tests = testBroker({
    broker: () =>
      configuredBroker({
        postgres: database.url,
        broker: 'event-table',
        eventTable: { install: true },
      }),
    interrupt: () =>
      writer.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()`,
      ),
  });
  for (const { name, run } of tests) {
    it(name, run);
  }
});
