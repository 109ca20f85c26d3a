import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES, type Case } from '../cases.js';
import { measure, type Metrics } from '../measure.js';
import { median } from '../report/median.js';
import { channelSize } from './channels.js';
import { redisLoad, REDIS_CASES } from './redis.js';
import type { ConnectionSize, RedisCase, SizingReport, Stack } from './results.js';

const USAGE = `npm run bench:sizing -- [options]
  --rounds <number>  rounds of which medians are taken (default 3)
  --output <folder>  where bench-sizing.json goes (default docs)
`;

/** Idle connections, of which the memory is told. */
const CLIENTS = 2_000;

/** Streams that are opened at once over TLS, whose handshakes take the load longer than the server. */
const TLS_OPENINGS = 150;

const STACKS: Readonly<Record<Stack, Pick<Case, 'platform' | 'protocol'>>> = {
  express: { platform: 'express', protocol: 'http' },
  fastify: { platform: 'fastify', protocol: 'http' },
  https: { platform: 'fastify', protocol: 'https' },
  http2: { platform: 'fastify', protocol: 'http2' },
};

/** A case of `npm run bench`, on another stack. */
async function measured(kind: 'memory' | 'connect', stack: Stack): Promise<Metrics> {
  const base = CASES.find((bench) => bench.kind === kind)!;
  const isTls = STACKS[stack].protocol !== 'http';
  const clients = kind === 'memory' ? CLIENTS : isTls ? TLS_OPENINGS : base.clients;
  const run = await measure('ours', { ...base, ...STACKS[stack], clients }, false);
  if (run.faults.length > 0) throw new Error(`${kind} on ${stack}: ${run.faults.join(', ')}`);
  return run.metrics;
}

async function connectionSize(stack: Stack): Promise<ConnectionSize> {
  const memory = await measured('memory', stack);
  const opening = await measured('connect', stack);
  return {
    rss: memory.rssPerConnection!,
    heap: memory.heapPerConnection!,
    cpuPerOpening: opening.cpuPerOpening!,
  };
}

/** The median of each number, with four digits. */
function medianOf<T extends object>(runs: readonly T[]): T {
  const names = Object.keys(runs[0]!) as (keyof T)[];
  return Object.fromEntries(
    names.map((name) => [
      name,
      Number(median(runs.map((run) => run[name] as number)).toPrecision(4)),
    ]),
  ) as T;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      output: { type: 'string', default: 'docs' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds is "${values.rounds}"; it must be a whole number from 1 on.`);
  }
  const each = async <N extends string, R extends object>(
    names: readonly N[],
    run: (name: N) => Promise<R>,
  ): Promise<Record<N, R>> => {
    const runs = new Map<N, R[]>(names.map((name) => [name, []]));
    for (let round = 1; round <= rounds; round++) {
      for (const name of names) {
        process.stderr.write(`round ${round}/${rounds}  ${name}\n`);
        runs.get(name)!.push(await run(name));
      }
    }
    return Object.fromEntries(names.map((name) => [name, medianOf(runs.get(name)!)])) as Record<
      N,
      R
    >;
  };
  const connections = await each(Object.keys(STACKS) as Stack[], connectionSize);
  const { channels } = await each(['channels'], channelSize);
  const redis = await each(Object.keys(REDIS_CASES) as RedisCase[], (name) =>
    redisLoad(REDIS_CASES[name]),
  );
  const report: SizingReport = {
    date: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      kernel: release(),
      node: process.version,
    },
    rounds,
    connections,
    channels,
    redis,
  };
  console.table(connections);
  console.table({ channels });
  console.table(redis);
  mkdirSync(values.output, { recursive: true });
  const file = join(values.output, 'bench-sizing.json');
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  console.error(USAGE);
  process.exitCode = 1;
});
