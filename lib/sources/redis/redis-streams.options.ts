import { duration, group, option, whole } from '../options/option-kinds.js';
import type { Settings, TableOf } from '../options/option-table.js';
import { MARKER_MS } from './lua/lua.generated.js';

/** How much of each channel Redis retains. */
export interface RedisRetainOptions {
  /** About how many events per channel, at least 1. Default: 1,000. */
  readonly events?: number;
  /** About how many bytes of event data per channel. Default: no limit. */
  readonly bytes?: number;
  /**
   * Milliseconds, at least 10,000. A channel that nobody reads and nothing is sent to for that
   * long is removed. `Infinity`: never. Default: 3,600,000.
   */
  readonly age?: number;
}

/** How channels are kept in Redis with `broker: 'redis'`. */
export interface RedisStreamsOptions {
  /**
   * The prefix of the streams' keys, `<prefix>{<channel>}`, without braces. Applications that share
   * a Redis need different prefixes, also when they use different databases. Default: `sse:`.
   */
  readonly prefix?: string;
  /** How much of each channel Redis retains. Default: as for each of its options. */
  readonly retain?: RedisRetainOptions;
  /**
   * How long `send()` tries while Redis cannot be reached, in milliseconds, at most 300,000,
   * before it rejects with `UNAVAILABLE`. Default: 10,000.
   */
  readonly sendTimeout?: number;
  /**
   * How many replicas must have an event before `send()` resolves, by `WAIT`. It rejects when
   * they do not have it within `replicaTimeout`; the event may have been delivered all the same.
   * Default: 0.
   */
  readonly minReplicas?: number;
  /** How long `send()` waits for `minReplicas`, in milliseconds, at most 4,000. Default: 1,000. */
  readonly replicaTimeout?: number;
  /**
   * How often each instance compares its open channels with their streams, in milliseconds, at least
   * 100. An event whose message was lost arrives with the next comparison. Default: 20,000.
   */
  readonly auditInterval?: number;
}

const MAX_PREFIX = 200;
/** Redis recognises a repeated call for twice as long. */
const MAX_SEND_TIMEOUT_MS = MARKER_MS / 2;
/** A connection that is silent for longer counts as dead. */
const MAX_REPLICA_TIMEOUT_MS = 4_000;

export const REDIS_STREAMS_OPTIONS = {
  prefix: option(
    (value): value is string =>
      typeof value === 'string' && !/[{}\0]/.test(value) && value.length <= MAX_PREFIX,
    `a string of at most ${MAX_PREFIX} characters without braces and NUL`,
    'sse:',
  ),
  retain: group({
    events: whole(1_000, { unit: 'events', to: Number.MAX_SAFE_INTEGER }),
    bytes: whole(Infinity, { unit: 'bytes' }),
    age: whole(3_600_000, { unit: 'ms', from: 10_000 }),
  }),
  sendTimeout: duration(10_000, 1, MAX_SEND_TIMEOUT_MS),
  minReplicas: whole(0, { unit: 'replicas', from: 0, to: 1_000 }),
  replicaTimeout: duration(1_000, 1, MAX_REPLICA_TIMEOUT_MS),
  auditInterval: duration(20_000, 100),
} satisfies TableOf<RedisStreamsOptions>;

/** The options with every default in place. */
export type RedisStreamsSettings = Settings<typeof REDIS_STREAMS_OPTIONS>;
