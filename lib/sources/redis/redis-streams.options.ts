import { checkOptionNames } from '../options/option-names.js';
import { shownOption } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import { MARKER_MS } from './lua/lua.generated.js';

/** How channels are kept in Redis with `broker: 'redis'`. */
export interface RedisStreamsOptions {
  /**
   * What the keys of the streams begin with: `<prefix>{<channel>}`. Applications that share a
   * Redis take different ones, also when they use different databases. Without braces.
   * Default: `sse:`.
   */
  readonly prefix?: string;
  /** About how many events of each channel are retained, at least 1. Default: 1,000. */
  readonly events?: number;
  /** About how many bytes of event data of each channel are retained. Default: no limit. */
  readonly bytes?: number;
  /**
   * How long events are retained, in milliseconds, at least 10,000. A channel that nobody reads
   * and nothing is sent to for that long is removed. `Infinity`: never. Default: 3,600,000.
   */
  readonly age?: number;
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
  /** How long `minReplicas` is waited for, in milliseconds, at most 4,000. Default: 1,000. */
  readonly replicaTimeout?: number;
  /**
   * How often each open channel is compared with its stream, in milliseconds, at least 100:
   * the longest that an event can stay unnoticed whose message was lost. Default: 20,000.
   */
  readonly auditInterval?: number;
}

/** The options with every default in place. */
export type RedisStreamsSettings = Required<RedisStreamsOptions>;

const DEFAULTS: RedisStreamsSettings = {
  prefix: 'sse:',
  events: 1_000,
  bytes: Infinity,
  age: 3_600_000,
  sendTimeout: 10_000,
  minReplicas: 0,
  replicaTimeout: 1_000,
  auditInterval: 20_000,
};

/** What Node's timers can wait, in milliseconds. */
const MAX_DURATION = 2 ** 31 - 1;
const MAX_PREFIX = 200;
/** Redis recognises a repeated call for twice as long. */
const MAX_SEND_TIMEOUT = MARKER_MS / 2;
/** A connection that is silent for longer counts as dead. */
const MAX_REPLICA_TIMEOUT = 4_000;

/** From where to where each number goes, and whether there may be no limit. */
const RANGES = {
  events: [1, Number.MAX_SAFE_INTEGER, false],
  bytes: [1, Number.MAX_SAFE_INTEGER, true],
  age: [10_000, Number.MAX_SAFE_INTEGER, true],
  sendTimeout: [1, MAX_SEND_TIMEOUT, false],
  minReplicas: [0, 1_000, false],
  replicaTimeout: [1, MAX_REPLICA_TIMEOUT, false],
  auditInterval: [100, MAX_DURATION, false],
} as const;

/**
 * Checks the options and completes them with their defaults.
 * @throws SseError `INVALID_OPTION`
 */
export function redisStreamsSettings(options: RedisStreamsOptions = {}): RedisStreamsSettings {
  if (typeof options !== 'object' || options === null) {
    throw invalid('redisStreams', options, 'an object');
  }
  checkOptionNames(options, Object.keys(DEFAULTS), { prefix: 'redisStreams.' });
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const settings = { ...DEFAULTS, ...Object.fromEntries(given) };
  checkPrefix(settings.prefix);
  for (const [name, [least, most, unlimited]] of Object.entries(RANGES)) {
    const value = settings[name as keyof typeof RANGES];
    const fits = Number.isInteger(value) && value >= least && value <= most;
    if (!fits && !(unlimited && value === Infinity)) {
      const allowed = `a whole number from ${least} to ${most}${unlimited ? ', or Infinity' : ''}`;
      throw invalid(`redisStreams.${name}`, value, allowed);
    }
  }
  return settings;
}

function checkPrefix(prefix: unknown): void {
  if (typeof prefix !== 'string' || /[{}\0]/.test(prefix) || prefix.length > MAX_PREFIX) {
    throw invalid(
      'redisStreams.prefix',
      prefix,
      `a string of at most ${MAX_PREFIX} characters without braces and NUL`,
    );
  }
}

function invalid(name: string, value: unknown, allowed: string): SseError {
  return new SseError(
    'INVALID_OPTION',
    `\`${name}\` is ${shownOption(value)}; it must be ${allowed}.`,
  );
}
