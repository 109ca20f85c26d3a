import { Redis } from 'ioredis';
import { startRedis } from '../../test/support/redis.js';
import { MARKER } from '../payload.js';
import { occurrences, openStream } from '../redis/clients.js';
import { pause, redisCpu } from '../redis/measures.js';
import { startChild } from '../redis/process.js';
import type { RedisCase, RedisLoad } from './results.js';

const DATA = '~'.padEnd(100, 'x');
const DEADLINE_MS = 60_000;

export const REDIS_CASES: Readonly<Record<RedisCase, RedisSending>> = {
  'single-1': { events: 5_000, burst: 1, receivers: 1 },
  'single-3': { events: 5_000, burst: 1, receivers: 3 },
  'burst-1': { events: 20_000, burst: 20, receivers: 1 },
  'burst-3': { events: 20_000, burst: 20, receivers: 3 },
};

interface RedisSending {
  readonly events: number;
  /** Events of a turn of the event loop, which go to Redis as one entry and one message. */
  readonly burst: number;
  /** Instances with one client each. */
  readonly receivers: number;
}

async function redisOutput(redis: Redis): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))![1]);
}

/** Sends to one channel, and measures what Redis, the sender and each receiver spend for an event. */
export async function redisLoad({ events, burst, receivers }: RedisSending): Promise<RedisLoad> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const sender = startChild(server.url);
  const readers = Array.from({ length: receivers }, () => startChild(server.url));
  const clients: { close(): void }[] = [];
  let arrived = 0;
  try {
    await sender.call({ do: 'start', as: 'ours' });
    for (const reader of readers) {
      const port = (await reader.call({ do: 'start', as: 'ours' })) as number;
      clients.push(
        await openStream(port, '/events/room', (chunk) => {
          arrived += occurrences(chunk, MARKER);
        }),
      );
    }
    const send = async (): Promise<void> => {
      const expected = arrived + events * receivers;
      const turns = events / burst;
      await sender.call({ do: 'send', channel: 'room', data: DATA, turns, burst });
      const deadline = performance.now() + DEADLINE_MS;
      while (arrived < expected) {
        if (performance.now() > deadline) throw new Error(`${expected - arrived} events are lost.`);
        await pause(2);
      }
    };
    const costs = () =>
      Promise.all([
        redisCpu(redis),
        redisOutput(redis),
        sender.cpu(),
        ...readers.map((reader) => reader.cpu()),
      ]);
    // Compiles the code.
    await send();
    const before = await costs();
    await send();
    const [ofRedis, output, ofSender, ...ofReaders] = (await costs()).map(
      (cost, nth) => (cost - before[nth]!) / events,
    );
    return {
      redis: ofRedis! * 1e6,
      sender: ofSender! * 1e6,
      receiver: (ofReaders.reduce((sum, cpu) => sum + cpu, 0) / receivers) * 1e6,
      redisOutput: output!,
    };
  } finally {
    clients.forEach((client) => client.close());
    redis.disconnect();
    for (const child of [sender, ...readers]) {
      await child.call({ do: 'stop' }).catch(() => undefined);
      await child.end();
    }
    await server.stop();
  }
}
