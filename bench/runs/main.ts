import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { median } from '../report/median.js';
import { CHANNELS, RATE, type Slice } from './measure.js';

/**
 * What a chunk of a run costs beside an event of `send()`: the same texts in the same turns, to as many
 * channels with one reader each. Each has a process of its own, and they take turns of a second, so that
 * neither finds the other's garbage or compiled code, and both find the same machine.
 *
 *     npm run bench:runs -- [seconds] [rounds]
 */

const PEERS = ['nothing', 'send', 'runs'] as const;
type PeerName = (typeof PEERS)[number];

const [seconds = 5, rounds = 3] = process.argv.slice(2).map(Number);

async function start(peer: PeerName): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('app.js', import.meta.url)), [peer]);
  await once(child, 'message');
  return child;
}

async function slice(child: ChildProcess): Promise<Slice> {
  child.send('go');
  const [answer] = (await once(child, 'message')) as [Slice];
  return answer;
}

const cpu: Record<PeerName, number[]> = { nothing: [], send: [], runs: [] };
const p99: number[] = [];
for (let round = 1; round <= rounds; round++) {
  const children = new Map<PeerName, ChildProcess>();
  for (const peer of PEERS) {
    const child = await start(peer);
    children.set(peer, child);
    // Its code is compiled by then.
    await slice(child);
  }
  const sums = { nothing: [0, 0], send: [0, 0], runs: [0, 0] } satisfies Record<PeerName, number[]>;
  for (let second = 0; second < seconds; second++) {
    // Each comes behind each other one as often.
    const order = second % 2 === 0 ? PEERS : PEERS.toReversed();
    for (const peer of order) {
      const { micros, events, p99Ms } = await slice(children.get(peer)!);
      sums[peer][0]! += micros;
      sums[peer][1]! += events;
      if (peer === 'runs') p99.push(p99Ms);
    }
  }
  children.forEach((child) => child.disconnect());
  for (const peer of PEERS) {
    const [micros = 0, events = 0] = sums[peer];
    cpu[peer].push(micros / events);
    console.log(
      `${round} ${peer.padEnd(8)} ${(micros / events).toFixed(2)} µs of CPU per event, ${events} events`,
    );
  }
}

const cost = (peer: PeerName): number => median(cpu[peer]) - median(cpu.nothing);
console.log(
  `A chunk costs ${(cost('runs') / cost('send')).toFixed(2)} of a send() in CPU (target: at most 1.2); with ` +
    `${CHANNELS} runs of ${RATE} chunks a second the p99 of the event loop is ${median(p99).toFixed(1)} ms ` +
    '(target: under 30).',
);
