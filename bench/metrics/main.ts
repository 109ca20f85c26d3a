import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median } from '../report/median.js';
import type { Peer, Round } from './app.js';

/**
 * What metrics cost, in CPU for an event that goes to 1,000 clients, and in memory for a connection:
 *
 *     npm run bench:metrics -- [rounds] [a compiled checkout from before the metrics] [--only=peer,peer]
 *
 * The peers take turns in each round, and each figure is the median of the ratios within rounds. `before` is
 * `dist-bench/` of a checkout of an older commit; without it, `unread` stands first: metrics that nobody reads. `sdk` is
 * OpenTelemetry's SDK without our module; the `otel-` peers have both, and are told beside it as well. `--only` names the peers
 * that are measured beside the first.
 */

const {
  positionals: [rounds = '15', older],
  values: { only },
} = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });
const CLIENTS = 1_000;
const own = resolve(import.meta.dirname, '../..');

interface Server {
  readonly peer: Peer;
  readonly child: ChildProcess;
  readonly clients: Socket[];
  readonly heap: number;
}

async function ask<T>(child: ChildProcess, message: Round | 'heap'): Promise<T> {
  child.send(message);
  const [answer] = (await once(child, 'message')) as [T];
  return answer;
}

async function start(peer: Peer, library: string): Promise<Server> {
  const child = fork(join(own, 'bench/metrics/app.js'), [peer, library], {
    execArgv: ['--expose-gc'],
  });
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  const { heap: empty } = await ask<{ heap: number }>(child, 'heap');
  const clients: Socket[] = [];
  for (let n = 0; n < CLIENTS; n++) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.resume().write('GET /news HTTP/1.1\r\nHost: localhost\r\n\r\n');
    clients.push(socket);
  }
  for (;;) {
    const { heap, connections } = await ask<{ heap: number; connections: number }>(child, 'heap');
    if (connections === CLIENTS) {
      return { peer, child, clients, heap: (heap - empty) / CLIENTS };
    }
    await pause(100);
  }
}

async function main(): Promise<void> {
  const peers: [Peer, string][] = [
    older ? ['before', resolve(older)] : ['unread', own],
    ['scraped', own],
    ['sdk', own],
    ['otel-metrics', own],
    ['otel-tenth', own],
    ['otel-all', own],
  ];
  const servers: Server[] = [];
  for (const [nth, [peer, library]] of peers.entries()) {
    if (nth === 0 || (only?.split(',').includes(peer) ?? true)) {
      servers.push(await start(peer, library));
    }
  }
  for (const { peer, heap } of servers) {
    console.log(`${peer.padEnd(14)} ${heap.toFixed(0)} bytes of heap for each connection`);
  }
  for (const burst of [1, 10]) {
    const cpus = new Map<Peer, number[]>(servers.map(({ peer }) => [peer, []]));
    for (let round = -1; round < Number(rounds); round++) {
      // Each begins a round as often as the others.
      const turn = servers.map((_, n) => servers[(n + round + servers.length) % servers.length]!);
      for (const { peer, child } of turn) {
        const { cpu } = await ask<{ cpu: number }>(child, { bursts: burst === 1 ? 60 : 30, burst });
        if (round >= 0) {
          cpus.get(peer)!.push(cpu);
        }
      }
    }
    const first = cpus.get(servers[0]!.peer)!;
    const sdk = cpus.get('sdk');
    for (const { peer } of servers) {
      const values = cpus.get(peer)!;
      const ratioTo = (others: readonly number[]): string =>
        median(values.map((cpu, n) => cpu / others[n]!)).toFixed(3);
      console.log(
        `burst ${String(burst).padEnd(2)} ${peer.padEnd(14)} ${median(values).toFixed(0)} us an event to ` +
          `${CLIENTS} clients   ${ratioTo(first)} × ${servers[0]!.peer}` +
          (peer.startsWith('otel-') && sdk ? `   ${ratioTo(sdk)} × sdk` : ''),
      );
    }
  }
  for (const { child, clients } of servers) {
    clients.forEach((client) => client.destroy());
    child.kill();
  }
}

void main();
