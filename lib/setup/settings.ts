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
import { readOptions, type Settings, type TableOf } from '../sources/options/option-table.js';
import type { PostgresOption } from '../sources/postgres/postgres.options.js';
import type { RedisOption } from '../sources/redis/redis-option.js';
import { REDIS_STREAMS_OPTIONS } from '../sources/redis/redis-streams.options.js';
import type { SseModuleOptions } from './module-options.js';

/** Injection token of the options that the module was configured with, checked and complete. */
export const SSE_SETTINGS = Symbol('SSE_SETTINGS');

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
    // That it is set, if only to {}, has the table read.
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
} satisfies TableOf<SseModuleOptions>;

/**
 * Checks the module's options and completes them with their defaults.
 * @throws SseError `INVALID_OPTION`, `NOT_CONFIGURED`
 */
export function settingsOf(options: SseModuleOptions): SseSettings {
  const settings = readOptions(MODULE_OPTIONS, options);
  const { redis, postgres, listenConnection, broker, eventTable } = settings;
  if (broker === 'redis' && redis === undefined) {
    throw new SseError(
      'NOT_CONFIGURED',
      "`broker: 'redis'` needs Redis. Set it: SseModule.forRoot({ redis: 'redis://…', broker: 'redis' }).",
    );
  }
  const hasPostgres = postgres !== undefined || listenConnection !== undefined;
  if (!hasPostgres && (broker === 'event-table' || eventTable !== undefined)) {
    const what = broker === 'event-table' ? "`broker: 'event-table'`" : '`eventTable`';
    throw new SseError(
      'NOT_CONFIGURED',
      `${what} needs Postgres. Set it: SseModule.forRoot({ postgres: 'postgres://…', … }).`,
    );
  }
  return settings;
}

function isBroker(value: unknown): value is Broker | 'memory' | 'redis' | 'event-table' {
  const { open, publish } = Object(value) as Partial<Broker>;
  return (
    ['memory', 'redis', 'event-table'].includes(value as string) ||
    (typeof value === 'object' && typeof open === 'function' && typeof publish === 'function')
  );
}
