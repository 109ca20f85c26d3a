import { describe, expect, it } from '@jest/globals';
import { SseChannel, SseError, channelName } from '../../lib/index.js';
import { checkChannelName } from '../../lib/channel/channel-name.js';
import { checkEvent } from '../../lib/channel/event-check.js';
import { openFeed } from '../../lib/channel/open-feed.js';
import { reasonOf } from '../../lib/channel/reason.js';
import { settingsOf } from '../../lib/setup/settings.js';
import { keyOptions } from '../../lib/sources/cache/cache-options.js';
import { CustomBroker } from '../../lib/sources/custom/custom-broker.js';
import { EventPublisher } from '../../lib/sources/event-table/event-publisher.js';
import { EVENT_TABLE_OPTIONS } from '../../lib/sources/event-table/event-table.options.js';
import { readOptions } from '../../lib/sources/options/option-table.js';
import { POLL_OPTIONS } from '../../lib/sources/poll/poll.options.js';
import { PollLog } from '../../lib/sources/poll/poll-log.js';
import { PollSource } from '../../lib/sources/poll/poll-source.js';
import { PostgresConnection } from '../../lib/sources/postgres/postgres-connection.js';
import { checkName } from '../../lib/sources/postgres/identifier.js';
import { LISTEN_OPTIONS } from '../../lib/sources/postgres/listen.options.js';
import { readTableName } from '../../lib/sources/postgres/table-name.js';
import { REDIS_STREAMS_OPTIONS } from '../../lib/sources/redis/redis-streams.options.js';

const URL_WITH_PASSWORD = 'postgres://me:Zq1234@db/app';

/** Values whose text is long, or a secret. */
const VALUES = {
  'a function': () => 'Zq1234',
  'a class': class {
    secret = 'Zq1234';
  },
  'a symbol': Symbol('Zq1234'),
  'an object': { password: 'Zq1234' },
  'an array': ['Zq1234'],
  'an object without a prototype': Object.assign(Object.create(null) as object, { is: 'Zq1234' }),
  'a long string': 'x'.repeat(500_000),
  'a long BigInt': 10n ** 5_000n,
};

// oxlint-disable-next-line typescript/no-explicit-any
type Value = any;

/** What is given the value in place of what it takes. */
const PLACES: Record<string, (value: Value) => unknown> = {
  'an option of the module': (value) => settingsOf({ heartbeat: value }),
  limits: (value) => settingsOf({ limits: value }),
  'redisStreams.prefix': (value) =>
    readOptions(REDIS_STREAMS_OPTIONS, { prefix: value, retain: { events: value } }),
  'eventTable.schema': (value) => readOptions(EVENT_TABLE_OPTIONS, { schema: value }),
  'eventTable.waker': (value) => readOptions(EVENT_TABLE_OPTIONS, { waker: value }),
  'the interval of a key': (value) => keyOptions({ interval: value }),
  'the interval of poll()': (value) => readOptions(POLL_OPTIONS, { interval: value }),
  'the function of poll()': (value) =>
    new PollSource(typeof value === 'function' ? undefined! : value, {}, new PollLog(console)),
  'doneSignal of a Postgres channel': (value) =>
    readOptions(LISTEN_OPTIONS, { doneSignal: typeof value === 'string' ? '' : value }),
  'the name of a table': (value) => readTableName(value),
  'the name of a Postgres channel': (value) => checkName(value, 'The Postgres channel'),
  'the name of a channel': (value) => checkChannelName(value),
  'a value of a template': (value) =>
    channelName('job:{id}', { id: typeof value === 'bigint' ? undefined : value }),
  'a value of a template that is no text': () =>
    channelName('job:{id}', { id: `\ud800${'x'.repeat(5_000)}` }),
  '@SseChannel()': (value) => SseChannel(value === VALUES['a function'] ? {} : value),
  'an event': (value) => checkEvent(value, { eventSize: 10 }),
  'the data of an event': (value) => checkEvent({ data: value }, { eventSize: 10 }),
  'the type of an event': (value) => checkEvent({ data: '', type: value }, { eventSize: 10 }),
  'the id of an event': (value) => checkEvent({ data: '', id: value }, { eventSize: 10 }),
  'the feed of a source': (value) => openFeed({ open: () => value }, 'a', undefined!),
  'the position from a broker': (value) =>
    new CustomBroker(
      { open: undefined!, publish: async () => (typeof value === 'string' ? '' : value) },
      undefined!,
    ).publish('a', { data: '' }),
  transaction: (value) =>
    new EventPublisher(
      new PostgresConnection('postgres://127.0.0.1/none'),
      { schema: 'sse', install: false },
      () => undefined,
      undefined,
    ).within.publish(value, 'a', { data: '' }),
};

describe.each(Object.entries(PLACES))('The error for a wrong value of %s', (_, give) => {
  it.each(Object.entries(VALUES))('shows %s in few characters', async (_, value) => {
    const error: unknown = await (async () => give(value))().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error !== undefined) {
      expect(error).toBeInstanceOf(SseError);
      const { message } = error as SseError;
      expect(message).not.toContain('Zq1234');
      expect(message.length).toBeLessThan(400);
    }
  });
});

it.each([
  ['an option of the module', () => settingsOf({ heartbeat: URL_WITH_PASSWORD as never })],
  ['an option of a key', () => keyOptions({ interval: URL_WITH_PASSWORD as never })],
  ['an option of poll()', () => readOptions(POLL_OPTIONS, { timeout: URL_WITH_PASSWORD as never })],
  [
    'an option of LISTEN',
    () => readOptions(LISTEN_OPTIONS, { refetch: URL_WITH_PASSWORD as never }),
  ],
  [
    'an option of the table',
    () => readOptions(EVENT_TABLE_OPTIONS, { schema: URL_WITH_PASSWORD as never }),
  ],
  [
    'an option of Redis streams',
    () => readOptions(REDIS_STREAMS_OPTIONS, { retain: { age: URL_WITH_PASSWORD } }),
  ],
])('An error does not repeat a URL that stands in the place of %s', (_, give) => {
  expect(give).toThrow(/is a string/);
  expect(give).not.toThrow(/Zq1234/);
});

it('An error does not show the code of a thrown function', () => {
  expect(reasonOf(() => 'Zq1234')).toBe('a function');
});
