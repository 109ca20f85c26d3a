import pg from 'pg';
import { EventTable } from '../../lib/sources/event-table/event-table.js';
import { PostgresConnection } from '../../lib/sources/postgres/postgres-connection.js';
import { Random } from '../../test/channel/random.js';
import { readNaively } from '../../test/event-table/naive-reader.js';
import {
  FUZZ_SQL,
  TOPICS,
  writeRandomly,
  type Written,
} from '../../test/event-table/random-writers.js';
import { startPostgres } from '../../test/support/postgres.js';
import { pause } from './rig.js';

const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };

/** Twelve random writers, three instances that are disturbed, and a naive reader beside them. */
export async function correctness(ms: number) {
  const server = await startPostgres();
  const instances = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const connection = new PostgresConnection(server.url);
      const table = new EventTable(connection, silent, { install: true });
      await table.start(true);
      const seen: string[] = [];
      return { connection, table, seen };
    }),
  );
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  try {
    await admin.query(FUZZ_SQL);
    while (instances.some(({ table }) => table.stats.position === undefined)) await pause(5);
    for (const { table, seen } of instances) {
      for (const topic of TOPICS) {
        table.open(topic, {
          live: () => undefined,
          append: ({ data }) => String(seen.push(data)),
          reset: () => void seen.push('reset'),
        });
      }
    }
    const naive = await readNaively(server.url);
    const written: Written = { committed: [], rolledBack: [], kinds: {} };
    const end = Date.now() + ms;
    const writers = Array.from({ length: 12 }, (_, number) =>
      writeRandomly(
        { url: server.url, name: `w${number}`, until: end, random: new Random(number) },
        written,
        instances[number % 3]!.table,
      ),
    );
    let kills = 0;
    while (Date.now() < end) {
      await pause(300 + Math.random() * 500);
      const { rowCount } = await admin.query(
        `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
           where application_name like 'nestjs-sse-channels%' order by random() limit 1) victim`,
      );
      kills += rowCount ?? 0;
    }
    await Promise.all(writers);
    await naive.stop();
    const { rows } = await admin.query<{ data: string }>('select data from sse.event order by id');
    const truth = rows.map(({ data }) => data);
    const deadline = Date.now() + 40_000;
    while (instances.some(({ seen }) => seen.at(-1) !== truth.at(-1)) && Date.now() < deadline) {
      await pause(20);
    }
    const naively = new Set(naive.data);
    let faults = 0;
    for (const { seen } of instances) {
      const arrived = new Set(seen);
      faults += truth.filter((data) => !arrived.has(data)).length + seen.length - arrived.size;
      faults += seen.filter((data, index) => data !== truth[index]).length;
    }
    return {
      events: truth.length,
      transactions: written.kinds,
      kills,
      faults,
      lostNaively: truth.filter((data) => !naively.has(data)).length,
    };
  } finally {
    await admin.end();
    for (const { table, connection } of instances) {
      await table.stop();
      await connection.stop();
    }
    await server.stop();
  }
}
