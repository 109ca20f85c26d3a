import { describe, expect, it } from '@jest/globals';
import {
  durableTriggerSql,
  eventTableSql,
  MemoryStore,
  triggerSql,
  SseError,
  SseModule,
  type SseModuleOptions,
} from '../../lib/index.js';
import { settingsOf } from '../../lib/setup/settings.js';
import { PollLog } from '../../lib/sources/poll/poll-log.js';
import { PollSource } from '../../lib/sources/poll/poll-source.js';
import { startApp } from '../support/start-app.js';

const DURATIONS = [
  'readyTimeout',
  'retry',
  'heartbeat',
  'linger',
  'stallTimeout',
  'maxAge',
  'drainTimeout',
];
const LIMITS = [
  'limits.connections',
  'limits.connectionsPerClient',
  'limits.connectionsPerChannel',
  'limits.channelsPerConnection',
  'limits.channels',
  'limits.eventSize',
  'limits.lastEventIdLength',
  'retain.events',
  'retain.bytes',
  'retain.age',
];

const CASES: [string, unknown, string][] = [
  ...DURATIONS.flatMap((name): [string, unknown, string][] =>
    [-1, 0.5, NaN, Infinity, 2 ** 31, '1000', null].map((value) => [
      name,
      value,
      'a whole number of milliseconds from 0 to 2147483647',
    ]),
  ),
  ...LIMITS.flatMap((name): [string, unknown, string][] =>
    [0, -1, 0.5, NaN, '10', null].map((value) => [
      name,
      value,
      `a whole number ${name.endsWith('age') ? 'of milliseconds ' : ''}of at least 1, or Infinity`,
    ]),
  ),
  ['opening', 'comment', "'event' or 'frame'"],
  ['opening', true, "'event' or 'frame'"],
  ['doneSignal', '', 'a string that is not empty, or false'],
  ['doneSignal', true, 'a string that is not empty, or false'],
  ['failFast', 'yes', 'true or false'],
  ['client', 'ip', 'a function of the request'],
  ['broker', 'kafka', "'memory'"],
  ['broker', {}, "'memory'"],
  ['retain', 7, 'an object'],
  ['limits', 'none', 'an object'],
];

const optionsWith = (name: string, value: unknown): SseModuleOptions => {
  const [group, option] = name.split('.');
  return (option ? { [group!]: { [option]: value } } : { [name]: value }) as SseModuleOptions;
};

const thrownBy = (run: () => unknown): SseError => {
  try {
    run();
  } catch (error) {
    return error as SseError;
  }
  throw new Error('Nothing was thrown.');
};

describe('Options', () => {
  it.each(CASES)(
    'with %s: %p cause an error that names the allowed values',
    (name, value, allowed) => {
      const error = thrownBy(() => SseModule.forRoot(optionsWith(name, value)));
      expect(error).toBeInstanceOf(SseError);
      expect(error.code).toBe('INVALID_OPTION');
      expect(error.message).toContain(`\`${name}\``);
      expect(error.message).toContain(
        typeof value === 'string'
          ? JSON.stringify(value)
          : typeof value === 'object' && value
            ? 'an object'
            : String(value),
      );
      expect(error.message).toContain(allowed);
    },
  );

  it.each(['hearbeat', 'limits.conections', 'retain.size', 'isglobal'])(
    'cause an error that names them and the known ones when they are unknown: %s',
    (name) => {
      const error = thrownBy(() => SseModule.forRoot(optionsWith(name, 1)));
      expect(error.code).toBe('INVALID_OPTION');
      expect(error.message).toContain(`\`${name}\``);
      expect(error.message).toMatch(/There are: .+/);
    },
  );

  it.each([null, 7, 'redis://localhost'])('must be an object, not %p', (options) => {
    expect(() => settingsOf(options as unknown as SseModuleOptions)).toThrow(SseError);
  });

  it.each([
    ['redis', 'http://localhost'],
    ['redis', 'localhost:6379'],
    ['redis', ''],
    ['redis', 7],
    ['postgres', 'mysql://localhost/db'],
    ['postgres', 'not a url'],
    ['postgres', ''],
    ['postgres', 7],
    ['listenConnection', 'not a url'],
    ['cache', {}],
    ['cache', { get: () => undefined }],
    ['cache', 'redis'],
  ])('with %s: %p keep the application from starting, with the reason', async (name, value) => {
    const others = name === 'listenConnection' && { postgres: 'postgres://db' };
    const starting = startApp({ options: { ...others, ...optionsWith(name, value) } });
    await expect(starting).rejects.toBeInstanceOf(SseError);
    const error = (await starting.catch((reason: unknown) => reason)) as SseError;
    expect(error.code).toBe('INVALID_OPTION');
    expect(error.message).toMatch(new RegExp(`\\b${name}\\b`));
  });

  const redis = 'redis://127.0.0.1';
  const postgres = 'postgres://127.0.0.1/db';
  it.each<[SseModuleOptions, string]>([
    [{ redisStreams: {} }, '`redisStreams` needs Redis'],
    [{ postgres, redisStreams: { prefix: 'a:' } }, '`redisStreams` needs Redis'],
    [{ listenConnection: postgres }, '`listenConnection` needs Postgres'],
    [{ redis, eventTable: {} }, '`eventTable` needs Postgres'],
    [{ broker: 'redis' }, "`broker: 'redis'` needs Redis"],
    [{ broker: 'event-table' }, "`broker: 'event-table'` needs Postgres"],
    [{ redis, cache: new Map() as never }, '`redis` has no effect'],
  ])('without an effect cause an error with the remedy: %j', (options, message) => {
    const error = thrownBy(() => SseModule.forRoot(options));
    expect(error.code).toMatch(/^(NOT_CONFIGURED|INVALID_OPTION)$/);
    expect(error.message).toContain(message);
    expect(error.message).toMatch(/Set it: SseModule\.forRoot\(\{.*leave .* out|Leave .* out/);
  });

  it.each([
    ['isGlobal', () => SseModule.forRoot({ isGlobal: 'no' as never })],
    ['isGlobal', () => SseModule.forRootAsync({ isGlobal: 0 as never, useFactory: () => ({}) })],
    ['failFast', () => SseModule.forRoot({ failFast: 1 as never })],
    ['eventTable.listen', () => settingsOf({ postgres, eventTable: { listen: 'no' as never } })],
    ['eventTable.install', () => settingsOf({ postgres, eventTable: { install: 0 as never } })],
    ['eventTable.waker', () => settingsOf({ postgres, eventTable: { waker: null as never } })],
    [
      'immediate',
      () => new PollSource(() => 1, { immediate: 'no' as never }, new PollLog(console)),
    ],
    ['bulk', () => durableTriggerSql({ table: 'users', channel: 'news', bulk: 'no' as never })],
  ])('must be true or false where they are a switch: %s', (name, give) => {
    const error = thrownBy(give);
    expect(error.code).toBe('INVALID_OPTION');
    expect(error.message).toContain(`\`${name}\``);
    expect(error.message).toContain('it must be true or false');
  });

  it.each([
    ['colums', () => durableTriggerSql({ table: 'a', channel: 'b', colums: [] } as never)],
    ['coulmns', () => triggerSql({ table: 'a', channel: 'b', coulmns: [] } as never)],
    ['shema', () => eventTableSql({ shema: 'a' } as never)],
    ['maxWaitings', () => new MemoryStore({ maxWaitings: 1 } as never)],
  ])('of functions cause an error when they are unknown: %s', (name, give) => {
    const error = thrownBy(give);
    expect(error.code).toBe('INVALID_OPTION');
    expect(error.message).toMatch(new RegExp(`there is no option \`${name}\`. There are: .+`));
  });

  it('of a store are checked', () => {
    expect(() => new MemoryStore({ maxWaiting: 0 })).toThrow(/MemoryStore: `maxWaiting` is 0/);
    expect(() => new MemoryStore({ waitingTtl: '1d' as never })).toThrow(/`waitingTtl` is "1d"/);
  });

  it('never show a password', async () => {
    for (const options of [
      { redis: 'http://user:hunter2@localhost' },
      { postgres: 'mysql://user:hunter2@localhost/db' },
      { cache: 'redis://user:hunter2@localhost' },
      { broker: 'redis://user:hunter2@localhost' },
      { broker: ['redis://user:hunter2@localhost'] },
      { failFast: 'password=hunter2' },
    ]) {
      const starting = (async () => startApp({ options: options as SseModuleOptions }))();
      const error = (await starting.catch((reason: unknown) => reason)) as SseError;
      expect(error).toBeInstanceOf(SseError);
      expect(error.message).not.toContain('hunter2');
    }
  });

  it('have a default when they are left out or undefined', () => {
    const settings = settingsOf({});
    expect(settings).toMatchObject({
      broker: 'memory',
      failFast: false,
      readyTimeout: 1_000,
      opening: 'event',
      retry: 3_000,
      heartbeat: 15_000,
      linger: 60_000,
      doneSignal: '[DONE]',
      stallTimeout: 60_000,
      maxAge: 0,
      drainTimeout: 5_000,
      retain: { events: 1_000, bytes: 1_048_576, age: 300_000 },
      limits: {
        connections: 50_000,
        connectionsPerClient: Infinity,
        connectionsPerChannel: Infinity,
        channelsPerConnection: 50,
        channels: 100_000,
        eventSize: 1_048_576,
        lastEventIdLength: 8_192,
      },
    });
    const none = Object.fromEntries(Object.keys(settings).map((name) => [name, undefined]));
    expect(JSON.stringify(settingsOf(none as SseModuleOptions))).toBe(JSON.stringify(settings));
  });
});
