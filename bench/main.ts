import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { calibrate } from './calibrate.js';
import { pinned } from './child.js';
import { measure } from './measure.js';
import { USAGE, readOptions } from './options.js';
import { PAYLOAD_SIZE } from './payload.js';
import { drawReport } from './report/chart.js';
import { medians } from './report/statistics.js';
import { renderReport } from './report/table.js';
import { judge } from './report/targets.js';
import { loadPeer } from './servers/index.js';
import type { Case } from './cases.js';
import type { Metrics } from './measure.js';
import type { Options } from './options.js';
import type { Report, Result } from './report/results.js';
import type { PeerName } from './servers/index.js';

/** Files that a process has open besides one socket for each client. */
const OTHER_FILES = 100;

/** Throws when this machine does not allow a process as many open files as a case needs. */
function checkOpenFiles(cases: readonly Case[]): void {
  const limit = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }));
  for (const { name, clients } of cases) {
    const needed = clients + OTHER_FILES;
    if (needed > limit) {
      throw new Error(
        `Case ${name} needs ${needed} open files in a process, and this machine allows ${limit}. ` +
          `Raise the hard limit (ulimit -Hn ${needed}, as root) or leave the case out with --case.`,
      );
    }
  }
}

interface Entry {
  readonly bench: Case;
  readonly peer: PeerName;
  readonly runs: Metrics[];
  readonly faults: string[];
}

/** Asks each peer once whether it can run here, and leaves out those that cannot. */
async function availableEntries(cases: readonly Case[]): Promise<Entry[]> {
  const reasons = new Map<PeerName, string | undefined>();
  for (const peer of new Set(cases.flatMap(({ peers }) => peers))) {
    const reason = (await loadPeer(peer)).unavailable?.();
    reasons.set(peer, reason);
    if (reason !== undefined) console.log(`Without ${peer}: ${reason}.`);
  }
  return cases.flatMap((bench) =>
    bench.peers
      .filter((peer) => reasons.get(peer) === undefined)
      .map((peer) => ({ bench, peer, runs: [], faults: [] })),
  );
}

/** Runs all peers of a case one after the other, round by round, so that noise hits each. */
async function runAll(entries: readonly Entry[], options: Options): Promise<void> {
  for (let round = 1; round <= options.rounds; round++) {
    for (const { bench, peer, runs, faults } of entries) {
      if (round > bench.maxRounds) continue;
      process.stderr.write(`round ${round}/${options.rounds}  ${bench.name}  ${peer}\n`);
      try {
        const run = await measure(peer, bench, options.quick);
        runs.push(run.metrics);
        faults.push(...run.faults);
      } catch (error) {
        faults.push(`failed: ${(error as Error).message.split('\n')[0]}`);
        console.error(error);
      }
    }
  }
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  checkOpenFiles(options.cases);
  const entries = await availableEntries(options.cases);
  const calibration = await calibrate(options.quick ? [10] : [1, 10, 100]);
  await runAll(entries, options);

  const results: Result[] = entries.map(({ bench, peer, runs, faults }) => ({
    case: bench.name,
    peer,
    median: medians(runs),
    runs,
    faults: [...new Set(faults)],
  }));
  const report: Report = {
    date: new Date().toISOString(),
    command: [
      'npm run bench',
      ...(process.argv.length > 2 ? ['--'] : []),
      ...process.argv.slice(2),
    ].join(' '),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      kernel: release(),
      node: process.version,
      pinned,
    },
    rounds: options.rounds,
    payloadBytes: PAYLOAD_SIZE,
    calibration,
    cases: options.cases,
    results,
    // The targets are about the full sizes.
    targets: options.quick ? [] : judge(results),
  };
  console.log(`\n${renderReport(report)}`);
  if (options.output !== undefined) {
    mkdirSync(options.output, { recursive: true });
    writeFileSync(join(options.output, 'bench.json'), `${JSON.stringify(report, null, 2)}\n`);
    writeFileSync(join(options.output, 'bench.svg'), drawReport(report));
  }

  const ours = results.filter(({ peer }) => peer === 'ours');
  const faulty = ours.filter(({ faults }) => faults.length > 0);
  if (faulty.length > 0) {
    console.error(`Ours failed in ${faulty.map(({ case: name }) => name).join(', ')}.`);
    process.exitCode = 1;
  } else if (options.quick && ours.length > 0) {
    console.log('Every client of ours received every event exactly once.');
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  console.error(USAGE);
  process.exitCode = 2;
});
