import pg from 'pg';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { SCHEMA_VERSION } from '../../lib/sources/event-table/event-table-sql.js';
import { endAppProcesses } from '../redis/app-process.js';
import { NONE } from '../redis/instances.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { BEFORE_FORMATS, olderVersion, SCHEMA_2 } from './older-version.js';
import { faultsOf, receivedAll, roll, TODAY } from './rolling.js';

let database: TestDatabase;
let client: pg.Client;

beforeEach(async () => {
  database = await createDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterEach(async () => {
  await endAppProcesses();
  await client.end();
  await database.drop();
});

/** Another program that writes to the table, in transactions that stay open for a while. */
function startWriter(): { stop(): Promise<readonly string[]> } {
  const sent: string[] = [];
  let isStopped = false;
  const write = async () => {
    const text = `sql ${sent.length}`;
    await client.query('begin');
    await client.query(`select sse.publish('jobs', $1), pg_sleep(0.02)`, [text]);
    await client.query('commit');
    sent.push(text);
  };
  const writing = (async () => {
    while (!isStopped) {
      await write();
    }
  })();
  // stop() reports it.
  writing.catch(() => undefined);
  return {
    async stop() {
      isStopped = true;
      await writing;
      return sent;
    },
  };
}

async function schemaVersion(): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    'select max(version) as version from sse.meta',
  );
  return rows[0]!.version;
}

it.each([
  ['whose table had version 2', SCHEMA_2, 2],
  ['whose table had version 3', BEFORE_FORMATS, 3],
])(
  'instances of version %s and of today replace each other without a loss',
  async (_, commit, version) => {
    const older = olderVersion(commit);
    let writer: ReturnType<typeof startWriter> | undefined;
    const rolled = await roll({
      // The last one is the way back: it works with the table as today's version has left it.
      versions: [older, older, TODAY, TODAY, older],
      env: (library) => ({
        POSTGRES_URL: database.url,
        BROKER: library === TODAY ? 'event-table' : 'postgres',
      }),
      paths: ['channel', 'channel', 'channel'],
      async began() {
        expect(await schemaVersion()).toBe(version);
        writer = startWriter();
      },
    });
    const senders = [...rolled.sent, { sent: await writer!.stop(), rejected: 0 }];
    await receivedAll({ ...rolled, sent: senders });
    expect(await schemaVersion()).toBe(SCHEMA_VERSION);
    expect(senders.map(({ rejected }) => rejected)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(rolled.clients.map(({ resets }) => resets)).toEqual([[], [], []]);
    for (const one of rolled.clients) {
      expect(senders.map((each) => faultsOf(one, each))).toEqual(senders.map(() => NONE));
      expect(one.returns).toBeGreaterThan(0);
    }
    await Promise.all(rolled.clients.map((one) => one.close()));
  },
);
