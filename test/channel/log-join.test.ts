import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';
import { joinLog } from '../../lib/channel/log-join.js';
import type { ChannelHistory } from '../../lib/channel/source.js';

const LIMITS = { events: 100, bytes: Infinity, age: Infinity, eventSize: 1_000 };

/** A channel at the position 10, whose source has a history. */
function rig(compare: ChannelHistory['compare'] = (a, b) => Number(a) - Number(b)) {
  const channel = new Channel('c', LIMITS, () => undefined);
  const read = (): Promise<never> => new Promise(() => undefined);
  channel.feedFrom({ history: { compare, read }, close: () => undefined });
  channel.live('10');
  /** Appends the events at these positions. */
  const append = (...positions: number[]): void =>
    positions.forEach((position) => channel.append({ data: '', position: `${position}` }));
  const join = (position: number, covered = 0, seq = 0) =>
    joinLog(channel, { position: `${position}`, covered }, seq);
  return { channel, append, join };
}

describe('After history a reader goes on in the log', () => {
  it('behind what history has given, wherever that is', () => {
    const { append, join } = rig();
    append(11, 12, 14);
    expect([10, 11, 12, 13, 14, 99].map((position) => join(position))).toEqual([0, 1, 2, 2, 3, 3]);
    // What it has read of the log before is not looked at again.
    expect(join(10, 0, 2)).toBe(2);
  });

  it('behind what history covered, when the log has dropped that', () => {
    const { channel, append, join } = rig();
    const positions = Array.from({ length: 3_000 }, (_, index) => index + 11);
    append(...positions);
    const { first } = channel.log;
    expect(first).toBeGreaterThan(2_000);
    expect(join(3_000, first - 1)).toBe(2_990);
    expect(join(3_000, first)).toBe(2_990);
    // The log has moved on meanwhile: events are missing between the two.
    expect(join(3_000, first - 2)).toBe('behind');
    expect(join(3_000, 0, first - 2)).toBe('behind');
    expect(join(3_000, 0, first - 1)).toBe(2_990);
  });

  it('nowhere, when its source cannot order the positions', () => {
    const { append, join } = rig(() => NaN);
    append(11);
    expect(join(10)).toBe('unordered');
  });

  it.each(['listener-gap', 'trimmed'] as const)(
    'behind a reset (%s) that came ahead of the reader while it read history',
    (reason) => {
      const { channel, append, join } = rig();
      append(11);
      channel.reset(reason);
      append(12, 13);
      // History has given up to 12, or to 11.
      expect(join(12)).toBe(channel.log.at(2));
      expect(join(11)).toBe(1);
      // It was announced before the last page was asked for: that page has what it was about.
      expect(join(12, 2)).toBe(3);
      expect(join(12, 1)).toBe(channel.log.at(2));
      expect(join(11, 2)).toBe(2);
    },
  );

  it('at a failover, however far history has come', () => {
    const { channel, append, join } = rig();
    append(11, 12);
    channel.reset('failover', '5');
    append(6, 7);
    expect(join(12)).toBe(2);
    // What history gave is of the new one.
    expect(join(6, 3, 2)).toBe(4);
  });
});
