import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startRedis } from '../../test/support/redis.js';
import { runs } from './runs.js';
import { channels, delivery, keys, latency, publishing, receiving } from './measures.js';

const USAGE = `npm run bench:redis -- [options]
  --only <name>      latency, publishing, receiving, socket.io, keys, pollers, channels or runs (may be repeated)
  --scale <number>   multiplies the sizes (default 1)
  --output <folder>  where bench-redis.json goes (default docs; --only writes none unless it is given)
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    scale: { type: 'string', default: '1' },
    output: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit();
}
const scale = Number(values.scale);
/** How many instances poll the same keys. */
const INSTANCES = Math.round(20 * scale);
const verdicts: { what: string; measured: number; target: string; met: boolean }[] = [];
const results: Record<string, unknown> = {};

function judge(what: string, value: number, sign: '≥' | '≤', target: number): void {
  const measured = Number(value.toPrecision(3));
  const met = sign === '≥' ? measured >= target : measured <= target;
  verdicts.push({ what, measured, target: `${sign} ${target}`, met });
}

/** Each measure has a server of its own, so that none finds what another has left. */
async function measure<T>(name: string, run: (url: string) => Promise<T>): Promise<T | undefined> {
  if (!(values.only?.includes(name) ?? true)) {
    return undefined;
  }
  const server = await startRedis();
  try {
    const result = await run(server.url);
    results[name] = result;
    console.log(name, JSON.stringify(result));
    return result;
  } finally {
    await server.stop();
  }
}

const idle = await measure('latency', (url) => latency(url, 1_000 * scale));
if (idle) {
  judge('client on another instance, p50 ÷ bare PUBLISH', idle.ours.p50 / idle.bare.p50, '≤', 1.5);
  judge('the same ÷ PUBLISH and a bare write', idle.ours.p50 / idle.relay.p50, '≤', 1.5);
  judge('client on another instance, p99 in ms', idle.ours.p99 / 1_000, '≤', 10);
}
const sent = await measure('publishing', (url) => publishing(url, 20_000 * scale, 5));
if (sent) {
  judge('sends of one turn ÷ bare pipelined PUBLISH', sent.burst / sent.bare, '≥', 1);
  judge('lone events of one turn ÷ bare pipelined PUBLISH', sent.lone / sent.bare, '≥', 0.3);
  judge('the same ÷ a bare script for each event', sent.lone / sent.script, '≥', 1);
  judge('a call for each event ÷ a bare script for each', sent.perTurn / sent.script, '≥', 0.5);
}
const taken = await measure('receiving', (url) => receiving(url, 100_000 * scale, 20));
if (taken) {
  judge('received by one instance, events/s', taken.perSecond, '≥', 30_000);
}
const peers = await measure('socket.io', async (url) => ({
  ours: await delivery(url, 'ours', 10_000 * scale, 20),
  socketIo: await delivery(url, 'socket.io', 10_000 * scale, 20),
}));
if (peers) {
  const factor = peers.ours.perCpuSecond / peers.socketIo.perCpuSecond;
  judge('events per CPU second ÷ socket.io', factor, '≥', 3);
  judge('events lost on the way to our clients', peers.ours.lost, '≤', 0);
}
const polled = await measure('keys', (url) => keys(url, 10_000, 5 * scale));
if (polled) {
  judge('10,000 keys at 1 s, part of a core in the instance', polled.instance, '≤', 0.1);
  judge('10,000 keys at 1 s, part of a core in Redis', polled.redis, '≤', 0.15);
}
const pollers = await measure('pollers', async (url) => ({
  each: await keys(url, 10_000, 20, INSTANCES, 'each'),
  elected: await keys(url, 10_000, 20, INSTANCES, 'elected'),
}));
if (pollers) {
  const { each, elected } = pollers;
  judge(
    `${INSTANCES} instances, one polls for all ÷ each polls: an instance`,
    elected.instance / each.instance,
    '≤',
    0.5,
  );
  // Comparing streams with what was received costs as much in both.
  judge('the same: Redis', elected.redis / each.redis, '≤', 0.75);
}
const opened = await measure('channels', (url) => channels(url, 10_000));
if (opened) {
  judge('10,000 channels with a client each, seconds to open', opened.seconds, '≤', 20);
  judge('heap per channel beyond its connection, bytes', opened.bytesPerChannel, '≤', 4_096);
}

const RUNS = Math.round(1_000 * scale);
const streams = await measure('runs', async (url) => ({
  runs: await runs(url, 'run', RUNS, 10),
  send: await runs(url, 'send', RUNS, 10),
  resumable: await runs(url, 'resumable-stream', RUNS, 10),
}));
if (streams) {
  const { runs: own, send, resumable } = streams;
  const sum = (of: typeof own) => of.owner + of.reader + of.redis;
  judge(`${RUNS} runs of 10 chunks/s, p99 of the event loop in ms`, own.loop, '≤', 30);
  judge('CPU for a chunk of a run ÷ for a send()', sum(own) / sum(send), '≤', 1.2);
  judge('the same ÷ resumable-stream', sum(own) / sum(resumable), '≤', 1);
  judge('chunks of runs lost on the way to clients', own.lost, '≤', 0);
}

console.table(verdicts);
// A part of a report does not take the place of a whole one.
const output = values.output ?? (values.only ? undefined : 'docs');
if (output !== undefined) {
  const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`;
  mkdirSync(output, { recursive: true });
  const report = { machine, date: new Date().toISOString(), verdicts, results };
  writeFileSync(join(output, 'bench-redis.json'), `${JSON.stringify(report, null, 2)}\n`);
}
process.exit(verdicts.every(({ met }) => met) ? 0 : 1);
