import { afterEach, describe, expect, it } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Channel } from '../../lib/channel/channel.js';
import type { PollOptions } from '../../lib/sources/poll/poll.options.js';
import { PollLog } from '../../lib/sources/poll/poll-log.js';
import { PollSource } from '../../lib/sources/poll/poll-source.js';
import { LogRecorder, Recorder } from '../cache/recorder.js';
import { until } from '../support/until.js';

const open: Recorder[] = [];

afterEach(() => {
  open.splice(0).forEach((channel) => channel.feed!.close());
});

/** What functions log. */
class Logged {
  private readonly recorder = new LogRecorder();
  readonly polls = new PollLog(this.recorder);

  /** The lines, without waiting for others that say the same. */
  async told(): Promise<LogRecorder> {
    await this.polls.stop();
    return this.recorder;
  }
}

function poll(read: () => unknown, options: PollOptions = {}, { polls } = new Logged()): Recorder {
  const source = new PollSource(read, { interval: 1, ...options }, polls);
  const channel = Recorder.open(source, 'polled');
  open.push(channel);
  return channel;
}

function hurl(what: unknown): never {
  throw what;
}

function unreadable(error: Error): Error {
  return Object.defineProperty(error, 'message', { get: () => hurl(null) });
}

/** Gives one value after the other, then nothing for ever. */
function sequence(...values: unknown[]): () => unknown {
  return () => {
    const value = values.shift();
    if (value instanceof Error) {
      throw value;
    }
    return value;
  };
}

describe('poll()', () => {
  it('sends strings as they are, other values as JSON, and nothing for null and undefined', async () => {
    const read = sequence('text', null, { a: 1 }, undefined, 0, false, '', [1]);
    const channel = poll(read, { type: 'tick' });
    await until(() => channel.events.length === 6);
    expect(channel.isLive).toBe(true);
    expect(channel.data).toEqual(['text', '{"a":1}', '0', 'false', '', '[1]']);
    expect(channel.events[0]!.type).toBe('tick');
  });

  it('calls the function without a `this`', async () => {
    const channel = poll(function (this: unknown) {
      return `${String(this)}`;
    });
    await until(() => channel.events.length > 0);
    expect(channel.data[0]).toBe('undefined');
  });

  it('writes values that are not strings by the `serialize` it gets', async () => {
    const serialize = (value: unknown) => `<${String(value)}>`;
    const channel = poll(sequence(7n, 'text', { toString: () => 'an object' }), { serialize });
    await until(() => channel.events.length === 3);
    expect(channel.data).toEqual(['<7>', 'text', '<an object>']);
  });

  it('ends the run at the done signal', async () => {
    const channel = poll(sequence('[DONE]'));
    await until(() => channel.events.length === 1);
    expect(channel.events[0]).toMatchObject({ data: '[DONE]', end: true });
  });

  it('never overlaps: the next read waits for the one before', async () => {
    let running = 0;
    let most = 0;
    const channel = poll(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      return 'x';
    });
    await until(() => channel.events.length === 5);
    expect(most).toBe(1);
  });

  it('reads only while it has a reader', async () => {
    let reads = 0;
    const channel = poll(() => ++reads);
    await until(() => reads >= 3);
    channel.feed!.pause!();
    const before = reads;
    const started = performance.now();
    await until(() => performance.now() - started > 50);
    expect(reads).toBe(before);
    channel.feed!.resume!();
    channel.feed!.resume!();
    await until(() => reads >= before + 3);
    channel.feed!.close();
    const events = channel.events.length;
    const closed = performance.now();
    await until(() => performance.now() - closed > 50);
    expect(channel.events.length).toBe(events);
  });

  it('appends nothing when it is closed during a read', async () => {
    let finish: (value: string) => void = () => undefined;
    let reads = 0;
    const channel = poll(() => (reads++, new Promise((resolve) => (finish = resolve))));
    await until(() => reads === 1);
    channel.feed!.close();
    finish('late');
    await new Promise((resolve) => setImmediate(resolve));
    expect(channel.events).toEqual([]);
  });

  it('logs a failing read once per outage and goes on', async () => {
    const logged = new Logged();
    const down = new Error('source is down');
    const channel = poll(sequence(down, down, down, 'up', down, down, 'again'), {}, logged);
    await until(() => channel.events.length === 2);
    expect(channel.data).toEqual(['up', 'again']);
    const log = await logged.told();
    expect(log.errors).toHaveLength(2);
    expect(log.errors[0]).toContain('source is down');
    expect(log.lines).toHaveLength(2);
  });

  it('leaves out what JSON cannot express, with a reset for each value and a log line at begin and end', async () => {
    const logged = new Logged();
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const channel = poll(
      sequence(1n, circular, () => 1, 'fine'),
      {},
      logged,
    );
    await until(() => channel.events.length === 1);
    expect(channel.data).toEqual(['fine']);
    const log = await logged.told();
    expect(log.errors).toEqual([expect.stringMatching(/BigInt.*set `serialize`/)]);
    expect(log.lines).toEqual(['Polled values can be sent again.']);
    expect(channel.resets).toEqual(['skipped-event', 'skipped-event', 'skipped-event']);
  });

  it('treats a read that never settles as an outage, and reads again', async () => {
    const logged = new Logged();
    let finish: (value: string) => void = () => undefined;
    const reads: unknown[] = [new Promise((resolve) => (finish = resolve)), 'next', 'last'];
    const channel = poll(() => reads.shift(), { timeout: 20 }, logged);
    await until(() => channel.events.length === 2);
    finish('late');
    await new Promise((resolve) => setImmediate(resolve));
    expect(channel.data).toEqual(['next', 'last']);
    const log = await logged.told();
    expect(log.errors).toEqual([expect.stringContaining('gave no answer within 20 ms')]);
    expect(log.lines).toEqual(['Polling works again.']);
  });

  const hostile: [string, () => unknown][] = [
    ['throws null', () => hurl(null)],
    ['rejects with nothing', () => Promise.reject()],
    ['throws what has no text', () => hurl(Object.create(null))],
    ['throws an error whose message throws', () => hurl(unreadable(new Error()))],
    [
      'returns what throws when it is awaited',
      () => ({
        // oxlint-disable-next-line unicorn/no-thenable
        get then() {
          return hurl(null);
        },
      }),
    ],
    [
      'returns what throws when it is read',
      () => ({
        get value() {
          return hurl(null);
        },
      }),
    ],
    ['returns what toJSON() makes nothing of', () => ({ toJSON: () => undefined })],
    ['returns a symbol', () => Symbol('s')],
  ];

  it.each(hostile)('goes on after a function that %s', async (_, read) => {
    const logged = new Logged();
    let calls = 0;
    const channel = poll(() => (calls++ === 0 ? read() : 'fine'), {}, logged);
    await until(() => channel.events.length > 0);
    const log = await logged.told();
    expect(log.errors).toHaveLength(1);
  });

  it('keeps to `limits.eventSize`, and sends a reset for what it leaves out', async () => {
    const logged = new Logged();
    const source = new PollSource(
      sequence('x'.repeat(50_000_000), { type: 'fine' }),
      { interval: 1, type: 'tick' },
      logged.polls,
    );
    const channel = new Channel(
      'polled',
      { events: 10, bytes: 1_000_000, age: 60_000, eventSize: 1_048_576 },
      () => undefined,
    );
    const feed = source.open('polled', channel);
    feed.resume!();
    await until(() => channel.log.head === 2);
    feed.close();
    expect(channel.log.at(1)).toMatchObject({
      type: 'sse:reset',
      data: JSON.stringify({ channel: 'polled', reason: 'skipped-event' }),
    });
    expect(channel.log.at(2)).toMatchObject({ type: 'tick', data: '{"type":"fine"}' });
    const log = await logged.told();
    expect(log.errors).toEqual([expect.stringContaining('50000000 bytes')]);
    expect(log.lines).toEqual(['Polled values can be sent again.']);
  });

  it('waits an interval before the first read with immediate: false', async () => {
    const started = performance.now();
    const channel = poll(() => 'x', { interval: 60, immediate: false });
    await until(() => channel.events.length === 1);
    expect(performance.now() - started).toBeGreaterThan(55);
  });

  it('reads outside of the async context of the request that opened it', async () => {
    const request = new AsyncLocalStorage<string>();
    const contexts: unknown[] = [];
    const source = new PollSource(
      () => contexts.push(request.getStore()),
      { interval: 1 },
      new Logged().polls,
    );
    request.run('request 1', () => open.push(Recorder.open(source, 'polled')));
    await until(() => contexts.length >= 3);
    expect(contexts.every((context) => context === undefined)).toBe(true);
  });

  it.each([
    [{ interval: 0 }],
    [{ interval: -1 }],
    [{ interval: 2 ** 31 }],
    [{ interval: '5' }],
    [{ type: 'a\rb' }],
    [{ immediate: 'yes' }],
    [{ doneSignal: 1 }],
    [{ timeout: 0 }],
    [{ serialize: 'json' }],
    [{ timeout: Infinity }],
  ])('refuses the options %p', (options) => {
    expect(() => new PollSource(() => 1, options as never, new Logged().polls)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
  });

  it('refuses anything but a function', () => {
    expect(() => new PollSource('x' as never, {}, new Logged().polls)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
  });
});
