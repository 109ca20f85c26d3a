import { Redis } from 'ioredis';
import type { CacheOptions } from '../../lib/sources/cache/cache-options.js';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import { RedisKeyStore } from '../../lib/sources/cache/redis/redis-store.js';
import type { RedisOption } from '../../lib/sources/redis/redis-option.js';
import type { RedisStreamsOptions } from '../../lib/sources/redis/redis-streams.options.js';
import { commandCounts } from '../cache/redis-rig.js';
import type { LogRecorder } from '../cache/recorder.js';
import { until } from '../support/until.js';
import { instance, Recorded, stopInstances } from './instances.js';

/** An instance whose readers of keys have one of all instances poll them. */
export interface Electing {
  readonly source: CacheSource;
  readonly log: LogRecorder;
  /** Whether it polls for all. */
  isPoller(): boolean;
  /** Reads a key; more options may be given than that one instance is elected. */
  read(key: string, options?: CacheOptions): Recorded;
  stop(): Promise<void>;
}

const running = new Set<Electing>();

export async function electing(
  redis: RedisOption,
  options: RedisStreamsOptions = {},
): Promise<Electing> {
  const { streams, log } = await instance(redis, { retain: { events: 50_000 }, ...options });
  const source = new CacheSource(new RedisKeyStore(streams), log);
  const one: Electing = {
    source,
    log,
    isPoller: () => source['shared']!.isPoller,
    read(key, more = {}) {
      const recorded = new Recorded(source.with({ interval: 20, poller: 'elected', ...more }), key);
      recorded.feed.resume?.();
      return recorded;
    },
    async stop() {
      running.delete(one);
      await source.stop();
    },
  };
  running.add(one);
  return one;
}

/** Stops every instance that a test has left running. */
export async function stopElecting(): Promise<void> {
  await Promise.all([...running].map((one) => one.stop()));
  await stopInstances();
}

/** How many keys each of the instances polls. */
export const polled = (instances: readonly Electing[]): number[] =>
  instances.map(({ source }) => source.polledKeys);

/** Waits until one of the instances polls for all, and each key is polled by one instance. */
export async function untilElected(
  instances: readonly Electing[],
  recorded: readonly Recorded[],
  keys: number,
): Promise<void> {
  await until(() => recorded.every(({ isLive }) => isLive));
  // Before that, each reads a key once when it opens it.
  await until(() => instances.some((one) => one.isPoller()));
  await until(() => polled(instances).reduce((sum, count) => sum + count, 0) === keys);
}

/** How many questions about keys the server answers in a second. */
export async function questionsPerSecond(redis: Redis, seconds = 1): Promise<number> {
  const before = (await commandCounts(redis)).get('exists') ?? 0;
  const began = performance.now();
  await until(() => performance.now() - began > seconds * 1_000);
  const after = (await commandCounts(redis)).get('exists') ?? 0;
  return ((after - before) * 1_000) / (performance.now() - began);
}
