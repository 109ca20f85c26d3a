import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Cost, Order } from './server.js';

/**
 * What `compression: 'shared'` saves, and what it costs, with 1,000 clients and events of 300 bytes:
 *
 *     npm run bench:compression -- [rounds]
 *
 * Both servers run at once and take turns, so that what else the machine does meets both; medians.
 */
const [rounds = 5] = process.argv.slice(2).map(Number);
const CLIENTS = 1_000;
const BURSTS = 100;

class Server {
  bytes = 0;
  private readonly sockets: Socket[] = [];

  private constructor(private readonly child: ChildProcess) {}

  static async start(compression: 'none' | 'shared'): Promise<Server> {
    const child = fork(fileURLToPath(new URL('server.js', import.meta.url)), [compression]);
    const [{ url }] = (await once(child, 'message')) as [{ url: string }];
    const server = new Server(child);
    for (let client = 0; client < CLIENTS; client++) {
      await server.connect(Number(new URL(url).port));
    }
    return server;
  }

  private async connect(port: number): Promise<void> {
    const socket = connect(port, '127.0.0.1');
    this.sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write('GET /prices HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n');
    await once(socket, 'data');
    socket.on('data', ({ length }: Buffer) => (this.bytes += length));
  }

  /** CPU in milliseconds, and bytes on the wire. */
  async run(burst: number): Promise<{ cpu: number; bytes: number }> {
    this.bytes = 0;
    this.child.send({ bursts: BURSTS, burst } satisfies Order);
    const [{ cpu }] = (await once(this.child, 'message')) as [Cost];
    for (let before = -1; before !== this.bytes;) {
      before = this.bytes;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return { cpu, bytes: this.bytes };
  }

  stop(): void {
    this.sockets.forEach((socket) => socket.destroy());
    this.child.kill();
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const [none, shared] = [await Server.start('none'), await Server.start('shared')];
for (const burst of [1, 10]) {
  const [cpus, saved]: [number[], number[]] = [[], []];
  for (let round = -1; round < rounds; round++) {
    const plain = await none.run(burst);
    const compressed = await shared.run(burst);
    if (round >= 0) {
      cpus.push(compressed.cpu / plain.cpu);
      saved.push(1 - compressed.bytes / plain.bytes);
    }
  }
  console.log(
    `${CLIENTS} clients, ${burst} events of 300 bytes in a turn: ${(median(saved) * 100).toFixed(0)} % of bytes saved, ` +
      `${median(cpus).toFixed(2)} x the CPU of no compression (${cpus.map((cpu) => cpu.toFixed(2)).join(', ')})`,
  );
}
none.stop();
shared.stop();
