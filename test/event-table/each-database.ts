import type pg from 'pg';
import { afterEach, beforeEach } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { connect, stopAll } from './event-table-rig.js';

/** What each test of a file gets anew. */
export interface EachDatabase {
  /** The URL of an empty database. */
  readonly url: string;
  /** A connection to it. */
  readonly client: pg.Client;
}

/** Gives each test a database of its own; what it has started is stopped after it. */
export function databaseForEach(): EachDatabase {
  let database: TestDatabase;
  let client: pg.Client;
  beforeEach(async () => {
    database = await createDatabase();
    client = await connect(database.url);
  });
  afterEach(async () => {
    await stopAll();
    await database.drop();
  });
  return {
    get url() {
      return database.url;
    },
    get client() {
      return client;
    },
  };
}
