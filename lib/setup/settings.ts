import type { Broker } from '../channel/source.js';
import { SseError } from '../channel/sse-error.js';
import { isCacheLike, type CacheLike } from '../sources/cache/cache-calls.js';
import { MemoryKeyStore } from '../sources/cache/memory-store.js';
import { EVENT_TABLE_OPTIONS } from '../sources/event-table/event-table.options.js';
import {
  callback,
  doneSignal,
  duration,
  flag,
  group,
  oneOf,
  option,
  passedOn,
  whole,
} from '../sources/options/option-kinds.js';
import {
  readOptions,
  type AnyTable,
  type Settings,
  type TableOf,
} from '../sources/options/option-table.js';
import type { PostgresOption } from '../sources/postgres/postgres.options.js';
import type { RedisOption } from '../sources/redis/redis-option.js';
import { REDIS_STREAMS_OPTIONS } from '../sources/redis/redis-streams.options.js';
import type { Authorize } from './channel-options.js';
import type { SseModuleOptions } from './module-options.js';
import { RUNS_OPTIONS } from './run-options.js';

/** Injection token of the options that the module was configured with, checked and complete. */
export const SSE_SETTINGS = Symbol('SSE_SETTINGS');

/** Injection token of a mark that the module has been imported; creating it cannot fail. */
export const SSE_IS_IMPORTED = Symbol('SSE_IS_IMPORTED');

/** The module's options with every default in place. */
export type SseSettings = Settings<typeof MODULE_OPTIONS>;

const EVENT_TABLE = group(EVENT_TABLE_OPTIONS);

export const MODULE_OPTIONS = {
  // A connection checks them, as it knows the library that they are for.
  redis: passedOn<RedisOption>(),
  postgres: passedOn<PostgresOption>(),
  listenConnection: passedOn<PostgresOption>(),
  cache: option(
    (value): value is CacheLike | MemoryKeyStore =>
      value instanceof MemoryKeyStore || isCacheLike(value),
    'an object with the functions get, set, and del or delete',
    undefined,
  ),
  broker: option(
    isBroker,
    "'memory', 'redis', 'event-table', or an object with `open` and `publish`",
    'memory',
  ),
  redisStreams: group(REDIS_STREAMS_OPTIONS),
  eventTable: {
    ...EVENT_TABLE,
    // Setting it, if only to {}, makes the module read the table.
    read: (value: unknown, path: string, of: string) =>
      value === undefined ? undefined : EVENT_TABLE.read(value, path, of),
  },
  failFast: flag(false),
  readyTimeout: duration(1_000),
  opening: oneOf('event', 'frame'),
  retry: duration(3_000),
  heartbeat: duration(15_000),
  linger: duration(60_000),
  retain: group({
    events: whole(1_000, { unit: 'events' }),
    bytes: whole(1_048_576, { unit: 'bytes' }),
    age: whole(300_000, { unit: 'ms' }),
  }),
  doneSignal: doneSignal('[DONE]'),
  serialize: callback<(data: unknown) => string>('the data'),
  stallTimeout: duration(60_000),
  maxAge: duration(0),
  compression: oneOf('none', 'shared'),
  drainTimeout: duration(5_000),
  limits: group({
    connections: whole(50_000, { unit: 'connections' }),
    connectionsPerClient: whole(Infinity, { unit: 'connections' }),
    connectionsPerChannel: whole(Infinity, { unit: 'connections' }),
    channelsPerConnection: whole(50, { unit: 'channels' }),
    channels: whole(100_000, { unit: 'channels' }),
    eventSize: whole(1_048_576, { unit: 'bytes' }),
    lastEventIdLength: whole(8_192, { unit: 'characters' }),
  }),
  client: callback<NonNullable<SseModuleOptions['client']>>('the request'),
  authorize: callback<Authorize>('the request and a channel'),
  revocation: flag(false),
  presenceGrace: duration(5_000),
  presenceTimeout: duration(15_000, 3_000),
  runs: group(RUNS_OPTIONS),
  idempotencyWindow: duration(300_000, 1_000, 86_400_000),
} satisfies TableOf<SseModuleOptions>;

/**
 * Checks the module's options and completes them with their defaults.
 *
 * @param of where the options are given, with a colon
 * @param extras the table of options beside them
 * @throws SseError `INVALID_OPTION`, `NOT_CONFIGURED`
 */
export function settingsOf(
  options: SseModuleOptions,
  of = 'SseModule.forRoot(): ',
  extras: AnyTable = {},
): SseSettings {
  const settings: SseSettings = readOptions({ ...extras, ...MODULE_OPTIONS }, options, '', of);
  checkNeeds(settings, options);
  return settings;
}

/** The systems that options need: the name for people, and how to set it. */
const SYSTEMS = {
  redis: ['Redis', "redis: 'redis://…'"],
  postgres: ['Postgres', "postgres: 'postgres://…'"],
  eventTable: ['the event table', "postgres: 'postgres://…', eventTable: {}"],
} as const;

/** The error for using a system that is not configured. */
export function notConfigured(what: string, needs: keyof typeof SYSTEMS, or = ''): SseError {
  const [name, setting] = SYSTEMS[needs];
  return new SseError(
    'NOT_CONFIGURED',
    `${what} needs ${name}. Set it: SseModule.forRoot({ ${setting}, … })${or}.`,
  );
}

/**
 * Refuses options without effect: they would hide that something else is missing.
 * @throws SseError `NOT_CONFIGURED`, `INVALID_OPTION`
 */
function checkNeeds({ broker, redis, cache }: SseSettings, options: SseModuleOptions): void {
  const needs: [what: string, isSet: boolean, system: 'redis' | 'postgres'][] = [
    ["`broker: 'redis'`", broker === 'redis', 'redis'],
    ["`broker: 'event-table'`", broker === 'event-table', 'postgres'],
    ['`redisStreams`', options.redisStreams !== undefined, 'redis'],
    ['`eventTable`', options.eventTable !== undefined, 'postgres'],
    ['`listenConnection`', options.listenConnection !== undefined, 'postgres'],
  ];
  for (const [what, isSet, system] of needs) {
    if (isSet && options[system] === undefined) {
      throw notConfigured(what, system, `, or leave ${what} out`);
    }
  }
  if (redis !== undefined && cache !== undefined && broker !== 'redis') {
    throw new SseError(
      'INVALID_OPTION',
      "`redis` has no effect: keys are in `cache`, and `broker` is not 'redis'. Leave one of " +
        "`redis` and `cache` out, or set `broker: 'redis'`.",
    );
  }
}

function isBroker(value: unknown): value is Broker | 'memory' | 'redis' | 'event-table' {
  const { open, publish } = Object(value) as Partial<Broker>;
  return (
    ['memory', 'redis', 'event-table'].includes(value as string) ||
    (typeof value === 'object' && typeof open === 'function' && typeof publish === 'function')
  );
}
