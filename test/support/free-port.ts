import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';

// Below the range from which Linux and macOS take the local ports of outgoing connections: a
// server that is stopped for a while would otherwise lose its port to any client that connects.
// The upper third stays free for the bus ports of Redis Cluster (port + 10,000).
const FIRST = 12_000;
const LAST = 21_999;

/** Finds a loopback port that nothing listens on, and whose Cluster bus port is free as well. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(FIRST, LAST + 1);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
  throw new Error(`No free loopback port between ${FIRST} and ${LAST} in 200 attempts.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}
