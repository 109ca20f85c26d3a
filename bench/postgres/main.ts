import { mkdirSync, mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../test/support/postgres.js';
import { catchUp } from './catch-up.js';
import { correctness } from './correctness.js';
import { bareNotify, busy, floor, idle } from './latency.js';
import { connect, pause, startApp } from './rig.js';
import { findPgbench, measureWriters } from './writers.js';

const USAGE = `npm run bench:postgres -- [options]
  --seconds <number>  of each measurement of the writers (default 4)
  --rounds <number>   of which medians are taken (default 5)
  --only <name>       correctness, writers, latency, catch-up or idle-load (may be repeated)
  --output <folder>   where bench-postgres.json goes (default docs; --only writes none unless it is given)
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true },
    output: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit();
}
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const wanted = (name: string): boolean => values.only?.includes(name) ?? true;

interface Verdict {
  readonly what: string;
  readonly measured: string;
  readonly target: string;
  readonly met: boolean;
}
const verdicts: Verdict[] = [];
const results: Record<string, unknown> = {};
function judge(what: string, value: number, target: number, least: boolean, unit = ''): void {
  verdicts.push({
    what,
    measured: `${value}${unit}`,
    target: `${least ? '≥' : '≤'} ${target}${unit}`,
    met: least ? value >= target : value <= target,
  });
}
const ratio = (a: number, b: number): number => Math.round((a / b) * 100) / 100;

const folder = mkdtempSync(join(tmpdir(), 'bench-postgres-'));
chmodSync(folder, 0o755);
// As a production server: what is committed is on the disk. Prepared transactions are off, as by default.
const server = await startPostgres({
  durable: true,
  onDisk: true,
  settings: { max_prepared_transactions: '0', shared_buffers: '256MB', max_wal_size: '4GB' },
});
// Before the application starts, which would hear of the same rows.
const handMade = wanted('latency') ? await floor(server.url, 200) : undefined;
const app = await startApp('app', server.url);
try {
  const admin = await connect(server.url);
  results['server'] = (await admin.query<{ version: string }>('select version()')).rows[0]!.version;
  await admin.end();

  if (wanted('idle-load')) {
    const client = await connect(server.url);
    const count = async (): Promise<number> =>
      Number(
        (
          await client.query<{ count: string }>(
            'select xact_commit + xact_rollback as count from pg_stat_database where datname = current_database()',
          )
        ).rows[0]!.count,
      );
    await pause(3_000);
    const before = await count();
    await pause(10_000);
    const perSecond = Math.round(((await count()) - before) * 10) / 100;
    await client.end();
    results['idle statements per second'] = perSecond;
    judge('statements of an idle instance', perSecond, 2, false, '/s');
  }

  if (handMade) {
    const bare = await bareNotify(server.url, 200);
    const byDefault = await idle(server.url, app.url, undefined, 200);
    const off = await idle(server.url, app.url, 'off', 200);
    const busyDefault = await busy(server.url, app.url, undefined, 1_000, 8);
    const busyOff = await busy(server.url, app.url, 'off', 1_000, 8);
    results['latency in ms'] = {
      'bare NOTIFY, idle': bare,
      'NOTIFY, SELECT and write, idle': handMade,
      'default, idle': byDefault,
      'wake off, idle': off,
      'default, 1,000 commits/s': busyDefault,
      'wake off, 1,000 commits/s': busyOff,
    };
    judge(
      'commit to client, idle, p50 over bare NOTIFY',
      ratio(byDefault.p50, bare.p50),
      2,
      false,
      ' ×',
    );
    judge(
      'commit to client, idle, p50 over NOTIFY, SELECT and write',
      ratio(byDefault.p50, handMade.p50),
      1.25,
      false,
      ' ×',
    );
    judge('commit to client, idle, p99', byDefault.p99, 15, false, ' ms');
    judge('commit to client, 1,000 commits/s, p50', busyDefault.p50, 10, false, ' ms');
    judge('commit to client, 1,000 commits/s, p99', busyDefault.p99, 50, false, ' ms');
    judge('the same with wake off, p50', busyOff.p50, 10, false, ' ms');
    judge('the same with wake off, p99', busyOff.p99, 50, false, ' ms');
  }

  if (wanted('catch-up')) {
    const speeds = await catchUp(server.url, app.url, 100_000, rounds);
    results['catch-up in events per second'] = speeds;
    judge(
      'catch-up of 100,000 events over a bare SELECT',
      ratio(speeds.client, speeds.select),
      0.5,
      true,
      ' ×',
    );
  }

  if (wanted('writers')) {
    const pgbench = await findPgbench();
    if (pgbench === undefined) {
      console.log(
        'Without the writers: pgbench is not installed. It comes with PostgreSQL (postgresql-contrib).',
      );
    } else {
      const writers: Record<string, unknown> = {};
      for (const [name, writerCase, least, overPlain] of [
        ['8 clients', { clients: 8, commitDelay: 0 }, 0.55, 1.9],
        ['32 clients, commit_delay 2 ms', { clients: 32, commitDelay: 2 }, 0.7, 17],
      ] as const) {
        const tps = await measureWriters(pgbench, server.url, folder, writerCase, seconds, rounds);
        writers[name] = tps;
        const off = tps['event table, wake off'];
        judge(
          `writers, ${name}: wake off over no trigger`,
          ratio(off, tps.none),
          least,
          true,
          ' ×',
        );
        judge(
          `writers, ${name}: wake off over plain NOTIFY`,
          ratio(off, tps['plain NOTIFY']),
          overPlain,
          true,
          ' ×',
        );
        console.log(name, tps);
      }
      results['writers in transactions per second'] = writers;
    }
  }
} finally {
  await app.stop();
  await server.stop();
  rmSync(folder, { recursive: true });
}

if (wanted('correctness')) {
  const counts = await correctness(8_000);
  results['correctness'] = counts;
  judge('events missing, twice or out of order on three instances', counts.faults, 0, false);
  judge('events that the naive reader lost', counts.lostNaively, 1, true);
}

console.log('\n' + JSON.stringify(results, null, 2) + '\n');
console.table(
  Object.fromEntries(
    verdicts.map(({ what, measured, target, met }) => [what, { measured, target, met }]),
  ),
);
// A part of a report does not take the place of a whole one.
const output = values.output ?? (values.only ? undefined : 'docs');
if (output !== undefined) {
  mkdirSync(output, { recursive: true });
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  writeFileSync(
    join(output, 'bench-postgres.json'),
    `${JSON.stringify({ date: new Date().toISOString(), machine, results, verdicts }, null, 2)}\n`,
  );
}
