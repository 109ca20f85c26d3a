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
  /** The position that the last reset led to. */
  resetTo: string | undefined;
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

  live(position?: string): void {
    this.liveAt = this.position = position;
  }

  append(event: SourceEvent): string {
    this.events.push(event);
    return (this.position = event.position!);
  }

  reset(reason: ResetReason, position?: string): void {
    this.resets.push({ reason, after: this.events.length });
    this.resetTo = position;
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
 * Expects the values that were sent from the first one on that came after the last reset, once and
 * in order. Nothing comes after a reset that was late.
 */
export function expectSinceReset(one: Recorded, values: readonly string[]): void {
  const received = one.data.slice(one.resets.at(-1)?.after ?? 0);
  const from = received.length === 0 ? values.length : values.indexOf(received[0]!);
  expect(count(values.slice(from), received)).toEqual(NONE);
  expect(one.resets.every(({ reason }) => reason === 'failover')).toBe(true);
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
