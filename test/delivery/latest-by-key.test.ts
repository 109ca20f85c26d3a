import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';
import { monotonicNow } from '../../lib/channel/clock.js';
import type { SourceEvent } from '../../lib/channel/source.js';
import { LatestByKey } from '../../lib/delivery/latest-by-key.js';

const MEBIBYTE = 1_048_576;
const LIMITS = { events: 3, bytes: MEBIBYTE, age: Infinity, eventSize: 2 * MEBIBYTE };

/** Longer than attached cursors can read what has left the window. */
const AFTER_GRACE_MS = 20_000;

const letter = ({ data }: { readonly data: unknown }): string => {
  const text = String(data);
  if (text.startsWith('!')) {
    throw new Error('No key.');
  }
  return text[0]!;
};

/** A channel, and what is remembered of it by the first letter of each event. */
function rig(limits: Partial<typeof LIMITS> = {}) {
  const channel = new Channel('c', { ...LIMITS, ...limits }, () => undefined);
  channel.feedFrom({ close: () => undefined });
  const latest = LatestByKey.acquire(channel, letter);
  const append = (data: string, fields: Partial<SourceEvent> = {}): void => {
    channel.append({ data, ...fields });
    latest.pull();
  };
  const dataAfter = (seq: number) => latest.after(seq)?.map(({ data }) => data);
  return { channel, latest, append, dataAfter };
}

describe('LatestByKey', () => {
  it('gives the newest event of each key in order, also of events that are no longer retained', () => {
    const { channel, append, dataAfter } = rig();
    append('a1');
    for (let i = 1; i <= 2_000; i++) {
      append(`b${i}`);
    }
    append('c1');
    expect(channel.log.retained).toBeGreaterThan(1_900);
    expect(dataAfter(0)).toEqual(['a1', 'b2000', 'c1']);
    append('a2');
    expect(dataAfter(0)).toEqual(['b2000', 'c1', 'a2']);
    expect(dataAfter(2_001)).toEqual(['c1', 'a2']);
    expect(dataAfter(2_002)).toEqual(['a2']);
    expect(dataAfter(2_003)).toEqual([]);
  });

  it('gives them also when the log has none of them any more', () => {
    const { channel, append, dataAfter } = rig({ events: 0 });
    append('a1');
    append('b1');
    append('a2');
    channel.log.trim(monotonicNow() + AFTER_GRACE_MS);
    expect(channel.log.first).toBe(channel.log.head + 1);
    expect(dataAfter(0)).toEqual(['b1', 'a2']);
    append('b2');
    expect(dataAfter(0)).toEqual(['a2', 'b2']);
  });

  it.each([undefined, null, true, {}, 7n, Promise.resolve('a')])(
    'keeps each event for which the function gives %p, which is no key',
    (answer) => {
      const { channel } = rig();
      const latest = LatestByKey.acquire(channel, () => answer as never);
      channel.append({ data: '1' });
      channel.append({ data: '2' });
      expect(latest.after(0)!.map(({ data }) => data)).toEqual(['1', '2']);
    },
  );

  it('takes a number as a key', () => {
    const { channel } = rig();
    const latest = LatestByKey.acquire(channel, ({ data }) => (Number(data) % 2) as never);
    ['1', '2', '3'].forEach((data) => channel.append({ data }));
    expect(latest.after(0)!.map(({ data }) => data)).toEqual(['2', '3']);
  });

  it('is one for all readers of a channel, until the last of them has left', () => {
    const { channel, latest } = rig();
    expect(LatestByKey.acquire(channel, letter)).toBe(latest);
    latest.release();
    expect(LatestByKey.acquire(channel, letter)).toBe(latest);
  });

  it('calls the function without a `this`', () => {
    const channel = new Channel('c', LIMITS, () => undefined);
    channel.feedFrom({ close: () => undefined });
    const seen: unknown[] = [];
    const latest = LatestByKey.acquire(channel, function (this: unknown) {
      seen.push(this);
      return 'a';
    });
    channel.append({ data: 'a1' });
    latest.pull();
    expect(seen).toEqual([undefined]);
  });

  it('keeps resets, ends and events without a key', () => {
    const { channel, append, dataAfter } = rig();
    append('!1');
    append('!2');
    append('a1', { end: true });
    append('a2', { end: true });
    channel.reset('listener-gap');
    channel.reset('listener-gap');
    append('a3');
    expect(dataAfter(0)).toHaveLength(7);
    expect(dataAfter(0)!.filter((data) => !data.startsWith('{'))).toEqual([
      '!1',
      '!2',
      'a1',
      'a2',
      'a3',
    ]);
  });

  it('knows events only from where the first reader began to lag', () => {
    const { channel, latest, append, dataAfter } = rig();
    append('a1');
    latest.release();
    const again = LatestByKey.acquire(channel, letter);
    expect(again).not.toBe(latest);
    expect(LatestByKey.acquire(channel, letter)).toBe(again);
    append('b1');
    expect(dataAfter(0)).toEqual(['a1', 'b1']);
    expect(again.after(0)).toBeUndefined();
    expect(again.after(1)!.map(({ data }) => data)).toEqual(['b1']);
  });

  it('does not know what was trimmed before the first reader lagged', () => {
    const { channel, latest, append } = rig();
    append('a1');
    for (let i = 0; i < 3_000; i++) {
      channel.append({ data: `b${i}` });
    }
    const { first } = channel.log;
    expect(first).toBeGreaterThan(3);
    expect(latest.after(0)).toBeUndefined();
    expect(latest.after(first - 2)).toBeUndefined();
    expect(latest.after(first - 1)!.map(({ data }) => data)).toEqual(['b2999']);
  });

  it('forgets keys beyond 10,000, and readers that miss one get a reset', () => {
    const { channel, latest } = rig();
    const byData = LatestByKey.acquire(channel, ({ data }) => String(data));
    for (let i = 1; i <= 10_000; i++) {
      channel.append({ data: `key ${i}` });
      byData.pull();
    }
    expect(byData.after(0)).toHaveLength(10_000);
    channel.append({ data: 'one more' });
    expect(byData.after(0)).toBeUndefined();
    expect(byData.after(1)).toHaveLength(10_000);
    latest.release();
  });

  it('forgets keys beyond 8 MiB, and readers that miss one get a reset', () => {
    const { append, dataAfter } = rig();
    const big = 'x'.repeat(MEBIBYTE);
    for (const key of 'abcdefg') {
      append(key + big);
    }
    // What is replaced no longer counts.
    for (let i = 0; i < 10; i++) {
      append(`g${i}${big}`);
    }
    expect(dataAfter(0)).toHaveLength(7);
    append(`h${big}`);
    expect(dataAfter(0)).toBeUndefined();
    expect(
      dataAfter(1)!
        .map((data) => data[0])
        .join(''),
    ).toBe('bcdefgh');
  });
});
