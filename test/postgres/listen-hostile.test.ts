import { beforeEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Channel } from '../../lib/channel/channel.js';
import type { SourceEvent } from '../../lib/channel/source.js';
import type { ListenOptions } from '../../lib/sources/postgres/listen.options.js';
import { refetched } from '../../lib/sources/postgres/refetch.js';
import { holds } from '../support/property.js';
import { until } from '../support/until.js';
import { listeningBackends, RecordingSink, type Listening } from './listen-recording.js';
import { listenRig } from './listen-rig.js';

const LIMITS = { events: 100_000, bytes: 1e9, age: 600_000, eventSize: 5_000 };

/** Well-formed text that Postgres stores, of one to a few thousand bytes. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc.stringMatching(/^[\r\n\u2028\u0085:{}",\\ ]{0,40}$/),
    fc.integer({ min: 0, max: 7_800 }).map((length) => 'x'.repeat(length)),
  )
  .map((value) => value.replace(/[\0\p{Surrogate}]/gu, ''));
const name = fc.oneof(
  text,
  fc.constantFrom(
    'insert',
    'sse:reset',
    'sse:open',
    'sse:',
    'a\nb',
    'a\rb',
    'message',
    '__proto__',
  ),
);
const json = fc.oneof(fc.json(), text);
const payload = fc
  .oneof(
    text,
    json,
    fc.tuple(name, json).map(([type, data]) => `{"sse":${JSON.stringify(type)},"data":${data}}`),
    fc.tuple(name, json).map(([type, data]) => `{"sse":"${type}","data":${data}}`),
    fc.tuple(name, json).map(([type, data]) => `{"sse":"${type}","data":${data}`),
  )
  .map((value) => Buffer.from(value).subarray(0, 7_999).toString().replaceAll('\ufffd', ''));

describe('Whatever others notify and hooks return', () => {
  const rig = listenRig();
  let listen: Listening;

  beforeEach(() => {
    listen = rig.listening(rig.url);
  });

  /** A channel that checks its events as that of an application does. */
  async function open(options: ListenOptions = {}): Promise<Channel> {
    const channel = new Channel('news', LIMITS, () => undefined);
    channel.feedFrom(listen.source.with(options).open('news', channel));
    await until(() => channel.ready);
    return channel;
  }

  /** What the channel's readers are shown after its first `from` entries. */
  function shown({ log }: Channel, from = 0) {
    return Array.from({ length: log.head - from }, (_, index) => log.at(from + index + 1));
  }

  async function killListener(): Promise<void> {
    for (const pid of await listeningBackends(rig.writer)) {
      await rig.writer.query('select pg_terminate_backend($1)', [pid]);
    }
  }

  it('each payload becomes an event or a reset', async () => {
    let named: unknown;
    const began = performance.now();
    const channels = [
      await open(),
      await open({
        type: () => {
          if (named === 'throw') throw named;
          return named as string;
        },
      }),
    ];
    await holds(
      fc.asyncProperty(
        fc.uniqueArray(payload, { minLength: 1, maxLength: 60 }),
        fc.oneof(fc.constant('throw'), name, fc.anything({ withBigInt: true })),
        async (payloads, returned) => {
          named = returned;
          const from = channels.map(({ log }) => log.head);
          await rig.writer.query(`select pg_notify('news', p) from unnest($1::text[]) p`, [
            payloads,
          ]);
          await until(() =>
            channels.every(({ log }, index) => log.head >= from[index]! + payloads.length),
          );
          for (const [index, channel] of channels.entries()) {
            const entries = shown(channel, from[index]);
            expect(entries).toHaveLength(payloads.length);
            for (const [place, sent] of payloads.entries()) {
              const { type, data } = entries[place]!;
              if (type === 'sse:reset') {
                expect(data).toBe('{"channel":"news","reason":"skipped-event"}');
                expect(Buffer.byteLength(sent)).toBeGreaterThan(LIMITS.eventSize);
              } else {
                expect(type ?? '').not.toMatch(/[\r\n\0]|^sse:/);
                expect(sent === data || sent.endsWith(`"data":${data}}`)).toBe(true);
              }
            }
          }
        },
      ),
      { quick: 40, soak: 5_000 },
    );
    // Ten lines a minute, and one that tells of the others.
    const minutes = Math.ceil((performance.now() - began) / 60_000);
    expect(listen.logger.errors.length).toBeLessThan(20 * minutes);
  });

  it('a function `type` may be async, and may reject', async () => {
    const channel = await open({
      type: (async () => Promise.reject(new Error('no name'))) as never,
    });
    await listen.notify('news', 'a');
    await until(() => channel.log.head === 1);
    // An unhandled rejection would have failed the test by then.
    await new Promise((turn) => setImmediate(turn));
    expect(shown(channel)).toMatchObject([{ type: undefined, data: 'a' }]);
    expect(listen.logger.errors).toEqual([expect.stringContaining('it returned a promise')]);
  });

  const jsonb = { status: 'open' };
  const good = { data: 'good', type: 'state' };
  it.each<[string, unknown, unknown[]]>([
    ['a parsed jsonb as data', [{ data: jsonb }, good], ['skipped-event', 'good']],
    ['rows', [{ id: 1, status: 'open' }], ['skipped-event']],
    [
      'no objects',
      [null, 7, good, 'text'],
      ['skipped-event', 'skipped-event', 'good', 'skipped-event'],
    ],
    ['line breaks in type', [{ data: 'a', type: 'x\nid: 1' }], ['skipped-event']],
    ['a type of ours', [{ data: 'a', type: 'sse:reset' }], ['skipped-event']],
    ['line breaks in id', [{ data: 'a', id: 'x\ny' }], ['skipped-event']],
    ['line breaks in retry', [{ data: 'a', retry: '1\ndata: x' }], ['skipped-event']],
    ['a position', [{ data: 'a', position: '7\n' }], ['a']],
    ['an end that is none', [{ data: 'a', end: 'yes' }], ['skipped-event']],
    ['too much data', [{ data: 'x'.repeat(5_001) }, good], ['skipped-event', 'good']],
    ['data that is too long in bytes', [{ data: 'é'.repeat(2_501) }], ['skipped-event']],
    ['one event', good, []],
    ['a text', 'text', []],
    ['a number', 7, []],
    ['a function', () => [good], []],
    ['nothing', undefined, []],
    ['null', null, []],
    ['a set', new Set([good]), ['good']],
  ])('a `refetch` that returns %s harms no other event', async (what, returned, expected) => {
    const channel = await open({ refetch: () => returned as SourceEvent[] });
    await killListener();
    await until(() => channel.log.head > 0);
    await listen.notify('news', 'after');
    await until(() => channel.log.at(channel.log.head).data === 'after');
    const seen = shown(channel).map(({ type, data }) =>
      type === 'sse:reset' ? (JSON.parse(data) as { reason: string }).reason : data,
    );
    expect(seen).toEqual(['listener-gap', ...expected, 'after']);
    const isRight = ['a position', 'nothing', 'null', 'a set'].includes(what);
    const complaints = listen.logger.errors.filter((line) => line.includes('"refetch"'));
    expect(complaints).toHaveLength(isRight ? 0 : 1);
  });

  it('a `refetch` whose result throws from a getter, an iterator or a thenable does no harm', async () => {
    const fault = () => {
      throw new Error('hostile');
    };
    const results: unknown[] = [
      [Object.defineProperty({}, 'data', { get: fault })],
      { [Symbol.iterator]: fault },
      { [Symbol.iterator]: () => ({ next: fault }) },
      // oxlint-disable-next-line unicorn/no-thenable
      Object.defineProperty({}, 'then', { get: fault }),
    ];
    const channel = await open({ refetch: () => results.shift() as SourceEvent[] });
    for (let gap = 1; results.length > 0; gap++) {
      await killListener();
      await until(() => channel.log.head === gap);
    }
    await listen.notify('news', 'after');
    await until(() => channel.log.head === 5);
    expect(listen.logger.errors.filter((line) => line.endsWith('failed: hostile'))).toHaveLength(4);
  });

  it('a slow `refetch` makes the channel hold a bounded number of notifications and announce those it drops', async () => {
    const finish: ((events: SourceEvent[]) => void)[] = [];
    const channel = await open({ refetch: () => new Promise((resolve) => finish.push(resolve)) });
    await killListener();
    await until(() => finish.length === 1);
    await rig.writer.query(`select pg_notify('news', n::text) from generate_series(1, 10500) n`);
    const probe = await rig.open(listen, 'probe');
    await listen.notify('probe', 'behind');
    await until(() => probe.events.length === 1);
    finish[0]!([good]);
    await until(() => channel.log.head > 2);
    const seen = shown(channel).map(({ type, data }) => (type === 'sse:reset' ? type : data));
    expect(seen.slice(0, 3)).toEqual(['sse:reset', 'good', 'sse:reset']);
    const kept = seen.slice(3).map(Number);
    expect(kept).toEqual(Array.from({ length: 500 }, (_, index) => 10_001 + index));
  });
});

describe('A password function', () => {
  const rig = listenRig();
  const bare: unknown = Object.create(null);
  const fault = () => {
    throw new Error('hostile');
  };

  it.each<[string, () => unknown]>([
    ['throws', fault],
    ['rejects with an object that cannot be shown', () => Promise.reject(bare)],
    [
      'rejects with a getter that throws',
      () => Promise.reject(Object.defineProperty({}, 'message', { get: fault })),
    ],
    ['rejects with nothing', () => Promise.reject(undefined as unknown as Error)],
    ['returns a number', () => 7],
    ['returns an object', () => bare],
  ])('that %s causes one log line, and is called again', async (_, password) => {
    const { hostname, port, username, pathname } = new URL(rig.url);
    let asked = 0;
    const listen = rig.listening(
      {
        host: hostname,
        port: Number(port),
        user: username,
        database: pathname.slice(1),
        connectionTimeoutMillis: 500,
        password: () => {
          asked++;
          return password() as string;
        },
      },
      { timeout: 200 },
    );
    listen.source.open('news', new RecordingSink());
    await until(() => asked >= 2);
    expect(listen.logger.errors).toHaveLength(1);
    await expect(listen.notify('news', 'x')).rejects.toBeDefined();
    await listen.stop();
  });
});

describe('A hook', () => {
  const never = () => new Promise<void>(() => undefined);

  it('fails with UNAVAILABLE when it does not answer in time', async () => {
    const { signal } = new AbortController();
    await expect(refetched(never, 'news', signal, 20)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'It gave no answer within 20 ms.',
    });
  });

  it('does not delay the close of its channel when it does not answer', async () => {
    const closed = new AbortController();
    const waiting = refetched(never, 'news', closed.signal);
    closed.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(refetched(never, 'news', closed.signal)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('fails when it returns more than 10,000 events', async () => {
    function* endless() {
      for (;;) yield { data: 'a' };
    }
    const { signal } = new AbortController();
    await expect(refetched(endless, 'news', signal)).rejects.toThrow('more than 10000 events');
  });
});
