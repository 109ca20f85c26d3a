import { expect } from '@jest/globals';
import { Redis } from 'ioredis';
import type {
  ChannelFeed,
  ChannelSink,
  ChannelSource,
  ResetReason,
  SourceEvent,
} from '../../lib/channel/source.js';
import { RedisBroker } from '../../lib/sources/redis/redis-broker.js';
import { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import { RedisStreams } from '../../lib/sources/redis/redis-streams.js';
import type { RedisOption } from '../../lib/sources/redis/redis-option.js';
import { readOptions } from '../../lib/sources/options/option-table.js';
import {
  REDIS_STREAMS_OPTIONS,
  type RedisStreamsOptions,
} from '../../lib/sources/redis/redis-streams.options.js';
import { LogRecorder } from '../cache/recorder.js';
import { until } from '../support/until.js';

/** One instance of the application, as far as its broker is concerned. */
export interface Instance {
  readonly broker: RedisBroker;
  readonly streams: RedisStreams;
  readonly connection: RedisConnection;
  readonly log: LogRecorder;
  /** Opens a channel and records what comes. */
  open(channel: string): Recorded;
  stop(): Promise<void>;
}

const started = new Set<Instance>();

export async function instance(
  redis: RedisOption,
  options: RedisStreamsOptions = {},
): Promise<Instance> {
  const log = new LogRecorder();
  const connection = new RedisConnection(redis, log);
  const settings = readOptions(REDIS_STREAMS_OPTIONS, { auditInterval: 1_000, ...options });
  const streams = new RedisStreams(connection, settings, log);
  const broker = new RedisBroker(streams);
  await connection.start(false);
  await streams.start(false);
  await broker.start();
  const one: Instance = {
    broker,
    streams,
    connection,
    log,
    open: (channel) => new Recorded(broker, channel),
    async stop() {
      started.delete(one);
      await broker.stop();
      await streams.stop();
      await connection.stop();
    },
  };
  started.add(one);
  return one;
}

/** Stops every instance that a test has left running. */
export async function stopInstances(): Promise<void> {
  await Promise.all([...started].map((one) => one.stop()));
}

/** What a channel received: events, and where it was told that some may be missing. */
export class Recorded implements ChannelSink {
  readonly events: SourceEvent[] = [];
  readonly resets: { reason: ResetReason; after: number }[] = [];
  readonly feed: ChannelFeed;
  position: string | undefined;
  liveAt: string | undefined;

  constructor(source: ChannelSource, channel: string) {
    this.feed = source.open(channel, this);
  }

  get data(): string[] {
    return this.events.map((event) => event.data);
  }

  get isLive(): boolean {
    return this.liveAt !== undefined;
  }

  /** How many events came since the last reset, or since the beginning. */
  get sinceReset(): number {
    return this.events.length - (this.resets.at(-1)?.after ?? 0);
  }

  live(position?: string): void {
    this.liveAt = this.position = position;
  }

  append(event: SourceEvent): string {
    this.events.push(event);
    return (this.position = event.position!);
  }

  reset(reason: ResetReason, position?: string): void {
    this.resets.push({ reason, after: this.events.length });
    this.position = position;
  }
}

/** How many of the expected texts never came, and how many came again. */
export function count(
  expected: readonly string[],
  received: readonly string[],
): { lost: number; twice: number; disordered: number } {
  const place = new Map(expected.map((text, index) => [text, index]));
  const seen = new Set<string>();
  let [twice, disordered, last] = [0, 0, -1];
  for (const text of received) {
    if (seen.has(text)) {
      twice++;
    }
    seen.add(text);
    const at = place.get(text) ?? -1;
    disordered += at < last ? 1 : 0;
    last = Math.max(last, at);
  }
  return { lost: expected.filter((text) => !seen.has(text)).length, twice, disordered };
}

export const NONE = { lost: 0, twice: 0, disordered: 0 };

/**
 * Expects that from the last reset on, or from the beginning when there was none, everything
 * that was accepted came once and in order.
 */
export async function expectContinuity(one: Recorded, accepted: readonly string[]): Promise<void> {
  await until(() => one.data.at(-1) === accepted.at(-1), { every: 20 }).catch(() => undefined);
  const from = one.resets.at(-1)?.after ?? 0;
  const received = one.data.slice(from);
  const expected =
    one.resets.length > 0 ? accepted.slice(accepted.indexOf(received[0]!)) : accepted;
  expect(count(expected, received)).toEqual(NONE);
  expect(one.resets.every(({ reason }) => reason === 'failover')).toBe(true);
  expect(one.events.length).toBeGreaterThan(100);
}

/** A client of the test's own, for faults and looks behind the scenes. */
export async function withRedis<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { retryStrategy: null, disconnectTimeout: 100 });
  redis.on('error', () => undefined);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}
