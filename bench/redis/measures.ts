import { Redis } from 'ioredis';
import { io } from 'socket.io-client';
import { Channel } from '../../lib/channel/channel.js';
import { MARKER } from '../payload.js';
import { startBroker } from './publisher.js';
import { occurrences, openStream } from './clients.js';
import type { Poller } from './calls.js';
import { startChild, type Child } from './process.js';

/** An event of 100 bytes, with one byte that occurs nowhere else on the wire. */
const EVENT = '~'.padEnd(100, 'x');

export const now = (): number => Number(process.hrtime.bigint() / 1_000n);
export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`Waited in vain for ${String(condition)}`);
    }
    await pause(1);
  }
}

export async function withChild<T>(url: string, use: (child: Child) => Promise<T>): Promise<T> {
  const child = startChild(url);
  try {
    return await use(child);
  } finally {
    await child.call({ do: 'stop' }).catch(() => undefined);
    await child.end();
  }
}

/**
 * Microseconds from sending to a client of another instance, to a client of a process that writes
 * what it is told and no more, and to a bare subscriber.
 */
export function latency(url: string, events: number) {
  return withChild(url, (child) =>
    withChild(url, async (relay) => {
      const port = (await child.call({ do: 'start', as: 'ours' })) as number;
      const relayPort = (await relay.call({ do: 'start', as: 'relay' })) as number;
      await child.call({ do: 'listen', channel: 'bare' });
      const { broker, stop } = await startBroker(url);
      const redis = new Redis(url);
      const times = { relay: [] as number[], ours: [] as number[] };
      const noteIn = (taken: number[]) => (chunk: Buffer) => {
        for (const [, sent] of chunk.toString().matchAll(/^data: (\d+)$/gm)) {
          taken.push(now() - Number(sent));
        }
      };
      const clients = [
        await openStream(port, '/events/latency', noteIn(times.ours)),
        await openStream(relayPort, '/', noteIn(times.relay)),
      ];
      for (let n = -100; n < events; n++) {
        // What comes first warms all of them up.
        if (n === 0) {
          Object.values(times).forEach((taken) => (taken.length = 0));
          await child.call({ do: 'received' });
        }
        await redis.publish('bare', String(now()));
        await pause(2);
        await redis.publish('relay', String(now()));
        await pause(2);
        void broker.publish('latency', { data: String(now()) });
        await pause(2);
      }
      await until(() => times.ours.length >= events && times.relay.length >= events);
      const bare = (await child.call({ do: 'received' })) as number[];
      clients.forEach((client) => client.close());
      redis.disconnect();
      await stop();
      return { bare: summary(bare), relay: summary(times.relay), ours: summary(times.ours) };
    }),
  );
}

const summary = (taken: readonly number[]) => ({
  p50: quantile(taken, 0.5),
  p99: quantile(taken, 0.99),
});

/** The least that appends and publishes: nothing is recognised when it is sent again, or bounded in bytes. */
const BARE_SCRIPT = `
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'd', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', KEYS[1], (last and last[1] or '0-0') .. ' ' .. id .. ' ' .. ARGV[3])
return id`;

/**
 * Events per second: bare pipelined PUBLISH, a bare script for each event, our bursts, our lone
 * events of one turn, and one to a turn, each of which is a call; medians of rounds.
 */
export async function publishing(url: string, events: number, rounds: number) {
  const { broker, stop } = await startBroker(url);
  const redis = new Redis(url);
  const burst = 500;
  const sha = String(await redis.script('LOAD', BARE_SCRIPT));
  const speeds = {
    bare: [] as number[],
    script: [] as number[],
    burst: [] as number[],
    lone: [] as number[],
    perTurn: [] as number[],
  };
  const measure = async (name: keyof typeof speeds, sendBurst: () => Promise<unknown>) => {
    const began = performance.now();
    for (let sent = 0; sent < events; sent += burst) {
      await sendBurst();
    }
    speeds[name].push((events / (performance.now() - began)) * 1_000);
  };
  for (let round = -1; round < rounds; round++) {
    await measure('bare', () => {
      const pipeline = redis.pipeline();
      for (let n = 0; n < burst; n++) {
        pipeline.publish('bare', EVENT);
      }
      return pipeline.exec();
    });
    await measure('script', () => {
      const pipeline = redis.pipeline();
      for (let n = 0; n < burst; n++) {
        pipeline.evalsha(sha, 1, `script ${n}`, 1_000, 300_000, EVENT);
      }
      return pipeline.exec();
    });
    await measure('burst', () =>
      Promise.all(Array.from({ length: burst }, () => broker.publish('burst', { data: EVENT }))),
    );
    await measure('lone', () =>
      Promise.all(
        Array.from({ length: burst }, (_, n) => broker.publish(`lone ${n}`, { data: EVENT })),
      ),
    );
    await measure('perTurn', async () => {
      const sends: Promise<string>[] = [];
      for (let n = 0; n < burst; n++) {
        sends.push(broker.publish(`lone ${n}`, { data: EVENT }));
        await turn();
      }
      await Promise.all(sends);
    });
    if (round < 0) {
      Object.values(speeds).forEach((of) => of.splice(0));
    }
  }
  redis.disconnect();
  await stop();
  return {
    bare: quantile(speeds.bare, 0.5),
    script: quantile(speeds.script, 0.5),
    burst: quantile(speeds.burst, 0.5),
    lone: quantile(speeds.lone, 0.5),
    perTurn: quantile(speeds.perTurn, 0.5),
  };
}

/** Events per second that one instance takes over on one channel that nobody reads. */
export function receiving(url: string, events: number, burst: number) {
  return withChild(url, async (child) => {
    await child.call({ do: 'start', as: 'ours' });
    const { broker, stop } = await startBroker(url, { retain: { events: events * 2 } });
    let [count, first, last] = [0, 0, 0];
    const limits = { events: 1_000, bytes: 1_048_576, age: 300_000, eventSize: 1_048_576 };
    const channel = new Channel('receive', limits, () => {
      first ||= performance.now();
      last = performance.now();
      count = channel.log.head;
    });
    channel.feedFrom(broker.open('receive', channel));
    await until(() => channel.ready);
    const before = process.cpuUsage();
    await child.call({ do: 'send', channel: 'receive', data: EVENT, turns: events / burst, burst });
    await until(() => count >= events);
    const { user, system } = process.cpuUsage(before);
    await stop();
    return {
      perSecond: (count / (last - first)) * 1_000,
      perCpuSecond: count / ((user + system) / 1e6),
    };
  });
}

/** Events per CPU second of two processes: one sends, the other has the clients. */
export function delivery(url: string, as: 'ours' | 'socket.io', events: number, clients: number) {
  return withChild(url, (sender) =>
    withChild(url, async (receiver) => {
      await sender.call({ do: 'start', as });
      const port = (await receiver.call({ do: 'start', as })) as number;
      const channel = 'delivery';
      let count = 0;
      const closes: (() => void)[] = [];
      for (let n = 0; n < clients; n++) {
        closes.push(
          as === 'ours'
            ? await openStream(port, `/events/${channel}`, (chunk) => {
                count += occurrences(chunk, MARKER);
              }).then((client) => client.close)
            : await openSocket(port, channel, () => count++),
        );
      }
      const burst = 25;
      const send = (turns: number) =>
        sender.call({ do: 'send', channel, data: EVENT, turns, burst });
      // Once as many without looking: at first both spend much of their time on being compiled.
      await send(events / burst);
      await stillness(() => count, events * clients);
      count = 0;
      const [s, r] = [await sender.cpu(), await receiver.cpu()];
      const began = performance.now();
      await send(events / burst);
      const seconds = (await stillness(() => count, events * clients)) - began / 1_000;
      const cpu = (await sender.cpu()) - s + (await receiver.cpu()) - r;
      closes.forEach((close) => close());
      const delivered = count / clients;
      return {
        perSecond: delivered / seconds,
        perCpuSecond: delivered / cpu,
        lost: events - delivered,
      };
    }),
  );
}

/**
 * Waits until everything has arrived, or nothing more does. Resolves with the time of the last
 * arrival in seconds.
 */
async function stillness(count: () => number, all: number): Promise<number> {
  let [seen, last] = [count(), performance.now()];
  while (seen < all && performance.now() - last < 3_000) {
    await pause(1);
    if (count() > seen) {
      [seen, last] = [count(), performance.now()];
    }
  }
  return last / 1_000;
}

function openSocket(port: number, channel: string, onEvent: () => void): Promise<() => void> {
  return new Promise((resolve) => {
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
    socket.on(channel, onEvent);
    socket.on('connect', () => resolve(() => socket.disconnect()));
  });
}

/**
 * Parts of a core that an instance, on average, and Redis take for keys that nothing is written to
 * and that all instances read.
 */
export async function keys(
  url: string,
  count: number,
  seconds: number,
  instances = 1,
  poller: Poller = 'each',
) {
  const children = Array.from({ length: instances }, () => startChild(url));
  const cpuOfAll = async () => {
    const usages = await Promise.all(children.map((child) => child.cpu()));
    return usages.reduce((sum, cpu) => sum + cpu, 0);
  };
  const redis = new Redis(url);
  try {
    for (const child of children) {
      await child.call({ do: 'start', as: 'ours' });
      await child.call({ do: 'keys', count, poller });
    }
    // A key is polled once its stream is live. What each instance does once at its start is over then.
    const all = poller === 'each' ? count * instances : count;
    for (let looks = 0; looks < 10; looks++) {
      const polled = await Promise.all(children.map((child) => child.call({ do: 'polled' })));
      const sum = polled.reduce((before: number, one) => before + Number(one), 0);
      looks = sum === all ? looks : 0;
      await pause(1_000);
    }
    const [before, redisBefore] = [await cpuOfAll(), await redisCpu(redis)];
    const began = performance.now();
    await pause(seconds * 1_000);
    const took = (performance.now() - began) / 1_000;
    const [after, redisAfter] = [await cpuOfAll(), await redisCpu(redis)];
    return {
      instance: (after - before) / took / instances,
      redis: (redisAfter - redisBefore) / took,
    };
  } finally {
    redis.disconnect();
    await Promise.all(children.map((child) => child.call({ do: 'stop' }).catch(() => undefined)));
    await Promise.all(children.map((child) => child.end()));
  }
}

export async function redisCpu(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const of = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)![1]);
  return of('used_cpu_user') + of('used_cpu_sys');
}

/** Seconds to open channels with one client each, and bytes of heap that a channel takes. */
export async function channels(url: string, count: number) {
  const heapWith = (pathOf: (n: number) => string) =>
    withChild(url, async (child) => {
      const port = (await child.call({ do: 'start', as: 'ours' })) as number;
      const began = performance.now();
      const clients: { close(): void }[] = [];
      for (let n = 0; n < count; n += 200) {
        const group = Array.from({ length: Math.min(200, count - n) }, (_, i) =>
          openStream(port, pathOf(n + i)),
        );
        clients.push(...(await Promise.all(group)));
      }
      const seconds = (performance.now() - began) / 1_000;
      await turn();
      const heap = await child.heap();
      clients.forEach((client) => client.close());
      return { seconds, heap };
    });
  const shared = await heapWith(() => '/events/shared');
  const own = await heapWith((n) => `/events/own-${n}`);
  return { seconds: own.seconds, bytesPerChannel: (own.heap - shared.heap) / count };
}
