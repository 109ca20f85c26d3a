import { shownOption } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import { eventTableSettings } from '../sources/event-table/event-table.options.js';
import { checkOptionNames } from '../sources/options/option-names.js';
import type { SseModuleOptions } from './module-options.js';
import {
  redisStreamsSettings,
  type RedisStreamsSettings,
} from '../sources/redis/redis-streams.options.js';

/** Injection token of the options that the module was configured with, checked and complete. */
export const SSE_SETTINGS = Symbol('SSE_SETTINGS');

/** The module's options with every default in place. */
export type SseSettings = Readonly<
  Required<
    Pick<
      SseModuleOptions,
      | 'broker'
      | 'failFast'
      | 'readyTimeout'
      | 'opening'
      | 'retry'
      | 'heartbeat'
      | 'linger'
      | 'doneSignal'
      | 'stallTimeout'
      | 'maxAge'
      | 'drainTimeout'
    >
  > & {
    retain: Required<NonNullable<SseModuleOptions['retain']>>;
    limits: Required<NonNullable<SseModuleOptions['limits']>>;
    redisStreams: RedisStreamsSettings;
  } & Pick<
      SseModuleOptions,
      'redis' | 'postgres' | 'listenConnection' | 'cache' | 'eventTable' | 'serialize' | 'client'
    >
>;

const RETAIN = { events: 1_000, bytes: 1_048_576, age: 300_000 };

const LIMITS = {
  connections: 50_000,
  connectionsPerClient: Infinity,
  connectionsPerChannel: Infinity,
  channelsPerConnection: 50,
  channels: 100_000,
  eventSize: 1_048_576,
  lastEventIdLength: 8_192,
};

const DURATIONS = {
  readyTimeout: 1_000,
  retry: 3_000,
  heartbeat: 15_000,
  linger: 60_000,
  stallTimeout: 60_000,
  maxAge: 0,
  drainTimeout: 5_000,
};

/** What Node's timers can wait, in milliseconds. */
const MAX_DURATION = 2 ** 31 - 1;

const OPTIONS = new Set([
  'redis',
  'postgres',
  'listenConnection',
  'cache',
  'broker',
  'redisStreams',
  'eventTable',
  'failFast',
  'opening',
  'retain',
  'doneSignal',
  'serialize',
  'limits',
  'client',
  ...Object.keys(DURATIONS),
]);

/**
 * Checks the module's options and completes them with their defaults.
 * @throws SseError `INVALID_OPTION`
 */
export function settingsOf(options: SseModuleOptions): SseSettings {
  checkNames('', options, OPTIONS);
  const { opening = 'event', doneSignal = '[DONE]', broker = 'memory', failFast = false } = options;
  check('opening', opening, opening === 'event' || opening === 'frame', "'event' or 'frame'");
  check(
    'doneSignal',
    doneSignal,
    doneSignal === false || (typeof doneSignal === 'string' && doneSignal !== ''),
    'a string that is not empty, or false',
  );
  check(
    'serialize',
    options.serialize,
    options.serialize === undefined || typeof options.serialize === 'function',
    'a function of the data',
  );
  check('failFast', failFast, typeof failFast === 'boolean', 'true or false');
  check(
    'broker',
    broker,
    broker === 'memory' ||
      broker === 'redis' ||
      broker === 'event-table' ||
      (typeof broker === 'object' &&
        typeof broker?.publish === 'function' &&
        typeof broker.open === 'function'),
    "'memory', 'redis', 'event-table', or an object with `open` and `publish`",
  );
  if (broker === 'redis' && options.redis === undefined) {
    throw new SseError(
      'NOT_CONFIGURED',
      "`broker: 'redis'` needs Redis. Set it: SseModule.forRoot({ redis: 'redis://…', broker: 'redis' }).",
    );
  }
  const hasPostgres = options.postgres !== undefined || options.listenConnection !== undefined;
  if (!hasPostgres && (broker === 'event-table' || options.eventTable !== undefined)) {
    const what = broker === 'event-table' ? "`broker: 'event-table'`" : '`eventTable`';
    throw new SseError(
      'NOT_CONFIGURED',
      `${what} needs Postgres. Set it: SseModule.forRoot({ postgres: 'postgres://…', … }).`,
    );
  }
  if (options.eventTable !== undefined) {
    eventTableSettings(options.eventTable);
  }
  const { client } = options;
  check(
    'client',
    client,
    client === undefined || typeof client === 'function',
    'a function of the request',
  );
  checkNames('retain.', options.retain ?? {}, new Set(Object.keys(RETAIN)));
  checkNames('limits.', options.limits ?? {}, new Set(Object.keys(LIMITS)));
  return {
    ...numbers(
      '',
      DURATIONS,
      options,
      (value) => wholeWithin(value, 0, MAX_DURATION),
      `a whole number of milliseconds from 0 to ${MAX_DURATION}`,
    ),
    retain: numbers(
      'retain.',
      RETAIN,
      options.retain,
      isLimit,
      'a whole number of at least 1, or Infinity',
    ),
    limits: numbers(
      'limits.',
      LIMITS,
      options.limits,
      isLimit,
      'a whole number of at least 1, or Infinity',
    ),
    redisStreams: redisStreamsSettings(options.redisStreams),
    opening,
    doneSignal,
    broker,
    failFast,
    client,
    redis: options.redis,
    postgres: options.postgres,
    listenConnection: options.listenConnection,
    cache: options.cache,
    serialize: options.serialize,
    eventTable: options.eventTable,
  } as SseSettings;
}

function numbers<T extends Record<string, number>>(
  prefix: string,
  defaults: T,
  given: object | undefined,
  isAllowed: (value: unknown) => boolean,
  allowed: string,
): T {
  const result: Record<string, number> = { ...defaults };
  for (const name of Object.keys(defaults)) {
    const value = (given as Record<string, number | undefined> | undefined)?.[name];
    if (value !== undefined) {
      check(`${prefix}${name}`, value, isAllowed(value), allowed);
      result[name] = value;
    }
  }
  return result as T;
}

function isLimit(value: unknown): boolean {
  return value === Infinity || wholeWithin(value, 1, Number.MAX_SAFE_INTEGER);
}

function wholeWithin(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function checkNames(prefix: string, options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid(prefix.slice(0, -1) || 'options', options, 'an object');
  }
  checkOptionNames(options, [...known], { prefix });
}

function check(name: string, value: unknown, isAllowed: boolean, allowed: string): void {
  if (!isAllowed) {
    throw invalid(name, value, allowed);
  }
}

function invalid(name: string, value: unknown, allowed: string): SseError {
  return new SseError(
    'INVALID_OPTION',
    `\`${name}\` is ${shownOption(value)}; it must be ${allowed}.`,
  );
}
