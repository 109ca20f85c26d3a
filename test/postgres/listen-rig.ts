import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type pg from 'pg';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { listening, RecordingSink, statements, type Listening } from './listen-recording.js';

/** What the tests of a file share, from before the first to after the last. */
export interface ListenRig {
  /** The URL of the file's own database. */
  readonly url: string;
  /** A connection to it. */
  readonly writer: pg.Client;
  /** Creates a source that is stopped after the test. */
  listening(...args: Parameters<typeof listening>): Listening;
  /** Opens a channel, and waits until it is live. */
  open(listen: Listening, channel: string): Promise<RecordingSink>;
  /** What to do after the test; the last one is done first. */
  cleanUp(work: () => unknown): void;
}

/** Gives the tests around the call a database and sources. */
export function listenRig(): ListenRig {
  const cleanUps: (() => unknown)[] = [];
  let database: TestDatabase;
  let writer: pg.Client;

  beforeAll(async () => {
    database = await createDatabase();
    writer = await statements(database.url);
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
  });
  afterAll(async () => {
    await writer.end();
    await database.drop();
  });

  return {
    get url() {
      return database.url;
    },
    get writer() {
      return writer;
    },
    listening(...args) {
      const listen = listening(...args);
      cleanUps.push(() => listen.stop());
      return listen;
    },
    async open(listen, channel) {
      const sink = new RecordingSink();
      listen.source.open(channel, sink);
      await until(() => sink.isLive);
      return sink;
    },
    cleanUp: (work) => void cleanUps.push(work),
  };
}
