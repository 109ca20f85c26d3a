import { Redis } from 'ioredis';
import type { Carrier, Kind } from './calls.js';
import { openStream } from './clients.js';
import { now, pause, quantile, redisCpu, withChild } from './measures.js';

/** Milliseconds between two chunks of a source. */
const INTERVAL_MS = 100;

interface Peer {
  readonly kind: Kind;
  pathOf(n: number): string;
}

const PEERS: Record<Carrier, Peer> = {
  run: { kind: 'ours', pathOf: (n) => `/runs/${n}` },
  send: { kind: 'ours', pathOf: (n) => `/events/run-${n}` },
  'resumable-stream': { kind: 'resumable-stream', pathOf: (n) => `/runs/${n}` },
};

/**
 * What `count` sources cost that each emit a text of 100 bytes ten times a second on one instance, each with a
 * client on another: microseconds of CPU for a chunk, milliseconds until clients have it, and the delay of the
 * event loop on both instances.
 */
export function runs(url: string, carrier: Carrier, count: number, seconds: number) {
  const { kind, pathOf } = PEERS[carrier];
  const chunks = (seconds * 1_000) / INTERVAL_MS;
  return withChild(url, (owner) =>
    withChild(url, async (reader) => {
      await owner.call({ do: 'start', as: kind });
      const port = (await reader.call({ do: 'start', as: kind })) as number;
      await owner.call({ do: 'begin', count, chunks, interval: INTERVAL_MS, carrier });
      const times: number[] = [];
      const clients: { close(): void }[] = [];
      for (let n = 0; n < count; n++) {
        const client = await openStream(port, pathOf(n), (chunk) => {
          for (const [, sent] of chunk.toString('latin1').matchAll(/^data: (\d+) x/gm)) {
            times.push(now() - Number(sent));
          }
        });
        clients.push(client);
      }
      const redis = new Redis(url);
      await owner.call({ do: 'loop' });
      await reader.call({ do: 'loop' });
      const costs = () => Promise.all([owner.cpu(), reader.cpu(), redisCpu(redis)]);
      const before = await costs();
      await owner.call({ do: 'go' });
      await pause(seconds * 1_000);
      for (let seen = -1; times.length < count * chunks && times.length > seen;) {
        seen = times.length;
        await pause(3_000);
      }
      const [own, read, server] = (await costs()).map((cost, nth) => cost - before[nth]!);
      const loops = [await owner.call({ do: 'loop' }), await reader.call({ do: 'loop' })];
      clients.forEach((client) => client.close());
      redis.disconnect();
      const each = (cost: number) => (cost * 1e6) / (count * chunks);
      return {
        owner: each(own!),
        reader: each(read!),
        redis: each(server!),
        p50: quantile(times, 0.5) / 1_000,
        p99: quantile(times, 0.99) / 1_000,
        loop: Math.max(...loops.map(Number)),
        lost: count * chunks - times.length,
      };
    }),
  );
}
