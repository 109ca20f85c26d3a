import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';
import { UNSHARED } from '../../lib/channel/checked-history.js';
import type { ResetReason } from '../../lib/channel/source.js';
import { until } from '../support/until.js';

const LIMITS = { events: Infinity, bytes: Infinity, age: Infinity, eventSize: 10 };

/** A channel, how many events it has told its readers of at each call, and what was warned of. */
function rig({ hasHistory = false } = {}) {
  const told: number[] = [];
  const warnings: string[] = [];
  const received = { events: 0, bytes: 0 };
  const channel = new Channel('c', LIMITS, (_, count = 1) => void told.push(count), {
    ...UNSHARED,
    log: { ...UNSHARED.log, warn: (line) => void warnings.push(line) },
    received,
  });
  if (hasHistory) {
    channel.feedFrom({
      close: () => undefined,
      history: {
        compare: (a, b) => Number(a) - Number(b),
        read: () => new Promise(() => undefined),
      },
    });
  }
  const reader = { pull: () => undefined };
  /** What the log has: the data of events, the reasons of resets. */
  const entries = () =>
    Array.from({ length: channel.log.head }, (_, index) => {
      const { type, data } = channel.log.at(index + 1);
      return type === 'sse:reset' ? (JSON.parse(data) as { reason: string }).reason : data;
    });
  return { channel, told, warnings, received, reader, entries };
}

describe('A channel', () => {
  it('takes events that are in order up to the first that may be too large', () => {
    const { channel, told, received, entries } = rig();
    const events = ['1', '2', 'ééé'].map((data, index) => ({
      data,
      position: `${index + 1}`,
    }));
    expect(channel.appendOrdered(events)).toBe(3);
    const more = [{ data: '4' }, { data: 'éééé' }, { data: '6' }];
    expect(channel.appendOrdered(more, 0, 'p-', 3)).toBe(1);
    expect([entries(), told]).toEqual([
      ['1', '2', 'ééé', '4'],
      [3, 1],
    ]);
    expect([1, 2, 3, 4].map((seq) => channel.log.at(seq).position)).toEqual(['1', '2', '3', 'p-4']);
    expect(received).toEqual({ events: 4, bytes: 9 });
    channel.close();
    expect(channel.appendOrdered(events)).toBe(0);
    expect(channel.log.head).toBe(4);
  });

  it('takes nothing after it was closed', () => {
    const { channel, told, warnings, received } = rig();
    channel.close();
    expect(channel.append({ data: '1', id: 'own', position: '7' })).toBe('own');
    expect(channel.append({ data: '1', position: '7' })).toBe('7');
    expect(channel.append({ data: '1' })).toBe('');
    channel.live('7');
    channel.reset('listener-gap');
    expect([channel.ready, channel.log.head, told, received.events]).toEqual([false, 0, [], 0]);
    expect(warnings).toHaveLength(5);
  });

  it('tells readers that came before its source listened, and none that have left or come later', () => {
    for (const [early, leaves, late, resets] of [
      [true, false, false, ['listener-gap']],
      [true, true, false, []],
      [false, false, true, []],
      [false, false, false, []],
    ] as const) {
      const { channel, reader, entries } = rig();
      if (early) channel.addReader(reader);
      if (leaves) channel.removeReader(reader);
      channel.live('7');
      if (late) channel.addReader(reader);
      expect([channel.log.headPosition, entries()]).toEqual(['7', resets]);
    }
  });

  it('tells its readers when its source listens again, unless that goes on at the head', () => {
    const { channel, warnings, entries } = rig();
    channel.live('7');
    channel.live('7');
    expect([entries(), warnings]).toEqual([[], []]);
    channel.live('8');
    channel.live();
    expect([entries(), warnings.length]).toEqual([['listener-gap', 'listener-gap'], 2]);
  });

  it('lets those wait that come before its source listens', async () => {
    const { channel } = rig();
    const done: string[] = [];
    void channel.whenReady(1).then(() => done.push('too late'));
    void channel.whenReady(60_000).then(() => done.push('live'));
    await until(() => done.length === 1);
    expect(channel['waiting'].size).toBe(1);
    channel.live();
    await until(() => done.length === 2);
    expect([done, channel['waiting'].size]).toEqual([['too late', 'live'], 0]);
    await channel.whenReady(60_000);
  });

  it('counts the events and bytes that its source gives', () => {
    const { channel, received } = rig();
    channel.append({ data: 'é' });
    channel.append({ data: '12' });
    expect(received).toEqual({ events: 2, bytes: 4 });
  });

  it('takes any position where no history orders them', () => {
    const { channel, entries } = rig();
    channel.append({ data: '2', position: '2' });
    channel.append({ data: '1', position: '1' });
    expect(entries()).toEqual(['2', '1']);
  });

  it('takes no position of a history twice, and none before the last', () => {
    const { channel, entries } = rig({ hasHistory: true });
    channel.live('5');
    for (const position of ['5', '4']) {
      expect(() => channel.append({ data: 'x', position })).toThrow(/not after "5"/);
    }
    channel.append({ data: '6', position: '6' });
    expect(() => channel.append({ data: 'x', position: '6' })).toThrow(/not after "6"/);
    expect(entries()).toEqual(['6']);
  });
});

describe('A reset', () => {
  const opened = () => {
    const source = rig({ hasHistory: true });
    source.channel.live('5');
    source.channel.append({ data: '6', position: '6' });
    source.channel.append({ data: '7', position: '7' });
    return source;
  };
  const at = ({ channel }: ReturnType<typeof rig>) => {
    const { position, gap } = channel.log.at(channel.lastReset);
    const { lastReset: seq, log } = channel;
    return { seq, position, gap, retained: log.retained };
  };

  it.each<[string, ResetReason, string | undefined, object]>([
    ['in place of an event', 'skipped-event', '8', { position: '8', gap: undefined, retained: 1 }],
    ['at the head', 'skipped-event', '7', { position: '7', gap: 'skipped-event', retained: 1 }],
    ['behind the head', 'skipped-event', '6', { position: '7', gap: 'skipped-event', retained: 1 }],
    ['with no position', 'trimmed', undefined, { position: '7', gap: 'trimmed', retained: 1 }],
    ['further on', 'listener-gap', '9', { position: '9', gap: 'listener-gap', retained: 3 }],
    ['at an earlier one', 'failover', '2', { position: '2', gap: 'failover', retained: 3 }],
  ])('%s has its place in the log', (_, reason, position, expected) => {
    const source = opened();
    source.channel.reset(reason, position);
    expect(at(source)).toEqual({ seq: 3, ...expected });
    expect(source.told).toEqual([1, 1, 1]);
  });

  it('of a channel without positions is an event of its own', () => {
    const source = rig();
    source.channel.live();
    source.channel.append({ data: '1' });
    source.channel.reset('listener-gap');
    expect(at(source)).toMatchObject({ seq: 2, gap: undefined, retained: 1 });
    expect(source.channel.log.headPosition).toMatch(/-2$/);
  });
});
