import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Random } from '../channel/random.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { ALL_RECEIVED, compare, recordAll } from './all-topics.js';
import { connect, startInstance, stopAll, type Instance } from './event-table-rig.js';
import { readNaively } from './naive-reader.js';
import { FUZZ_SQL, writeRandomly, type Written } from './random-writers.js';

let database: TestDatabase;
beforeAll(async () => void (database = await createDatabase()));
afterEach(stopAll);
afterAll(() => database.drop());

/** The writer's own text, also out of a row. */
function textOf(data: string): string {
  return data.startsWith('{') ? (JSON.parse(data) as { text: string }).text : data;
}

it(
  'Three instances deliver every committed event once and in one order while servers and instances are killed',
  async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() & 0x7fffffff);
    const random = new Random(seed);
    const duration = sized({ quick: 6_000, soak: 60_000 });
    const instances: Instance[] = [];
    for (let number = 0; number < 3; number++) {
      instances.push(await startInstance(database.url));
    }
    const admin = await connect(database.url);
    await admin.query(FUZZ_SQL);
    const recordings = instances.map(recordAll);
    await until(() => recordings.every(({ isLive }) => isLive));
    const naive = await readNaively(database.url);

    // Takes the first id, and commits it only after the naive reader has seen a later one.
    const late = await connect(database.url);
    await late.query(`begin; select sse.publish('first', 'late')`);

    const written: Written = { committed: [], rolledBack: [], kinds: {} };
    const end = Date.now() + duration;
    const writers = Array.from({ length: 12 }, (_, number) =>
      writeRandomly(
        { url: database.url, name: `w${number}`, until: end, random: new Random(seed + number) },
        written,
        instances[number % 3]!.table,
      ),
    );
    await until(() => naive.data.length > 0);
    await late.query('commit');
    written.committed.push('late');
    let kills = 0;
    while (Date.now() < end || kills === 0) {
      await new Promise((resolve) => setTimeout(resolve, 200 + random.next() * 600));
      const { rowCount } = await admin.query(
        `select pg_terminate_backend(pid) from (
         select pid from pg_stat_activity where datname = current_database()
           and application_name like 'nestjs-sse-channels%' order by random() limit 2) victims`,
      );
      kills += rowCount ?? 0;
    }
    await Promise.all(writers);
    await naive.stop();

    const { rows } = await admin.query<{ id: string; data: string }>(
      'select id, data from sse.event order by id',
    );
    const truth = rows.map(({ data }) => data);
    await until(() => recordings.every(({ seen }) => seen.at(-1)?.data === truth.at(-1)), {
      deadline: 40_000,
      what: 'the last event on all instances',
    });

    const report = recordings.map((recording) => compare(recording, truth));
    expect(report).toEqual([ALL_RECEIVED, ALL_RECEIVED, ALL_RECEIVED]);

    // What the database has is what the writers have committed.
    const stored = new Set(truth.map(textOf));
    expect(written.committed.filter((text) => !stored.has(text))).toHaveLength(0);
    expect(written.rolledBack.filter((text) => stored.has(text))).toHaveLength(0);

    const naiveSaw = new Set(naive.data);
    const lostNaively = truth.filter((text) => !naiveSaw.has(text));
    process.stderr.write(
      `event table: seed ${seed}, ${truth.length} events, ${kills} connections killed, naive reader lost ${lostNaively.length}; ${JSON.stringify(written.kinds)}\n`,
    );
    expect(kills).toBeGreaterThan(0);
    expect(lostNaively).toContain('late');
  },
  sized({ quick: 60_000, soak: 300_000 }),
);
