import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';
import { Cursor } from '../../lib/channel/cursor.js';
import { resumePlace } from '../../lib/channel/resume-place.js';

describe('A client that returns', () => {
  it('begins at the oldest retained event when it asks for `earliest`', () => {
    const limits = { events: 3, bytes: Infinity, age: Infinity, eventSize: 1_000 };
    const channel = new Channel('c', limits, () => undefined);
    channel.live();
    const place = { position: undefined, hasEnded: false };
    expect(resumePlace(channel, 'earliest')).toEqual({ seq: 0, ...place });
    for (let number = 1; number <= 5; number++) {
      channel.append({ data: `${number}` });
    }
    expect(channel.log.retained).toBe(3);
    expect(resumePlace(channel, 'earliest')).toEqual({ seq: 2, ...place });
  });

  it('to a position that was trimmed gets a reset, and then the end of its run', () => {
    const limits = { events: 1, bytes: Infinity, age: Infinity, eventSize: 1_000 };
    const channel = new Channel('c', limits, () => undefined);
    channel.live();
    const first = channel.append({ data: '1' });
    channel.append({ data: '2' });
    channel.append({ data: '3', end: true });
    const cursor = new Cursor(channel, { pull: () => undefined });
    void cursor.resume(first);
    expect([cursor.next(), cursor.resetReason]).toEqual(['reset', 'trimmed']);
    expect(cursor.take().data).toBe('{"channel":"c","reason":"trimmed"}');
    expect([cursor.next(), cursor.take().data]).toEqual(['log', '3']);
  });

  it('goes on in the log, whether there is a history or none, and knows whether its run has ended', () => {
    const limits = { events: 2, bytes: Infinity, age: Infinity, eventSize: 1_000 };
    for (const hasHistory of [true, false]) {
      const channel = new Channel('c', limits, () => undefined);
      if (hasHistory) {
        const compare = (a: string, b: string) => Number(a) - Number(b);
        const read = (): Promise<never> => Promise.reject(new Error('It is not asked.'));
        channel.feedFrom({ close: () => undefined, history: { compare, read } });
      }
      channel.live('10');
      channel.append({ position: '11', data: '11', end: true });
      channel.append({ position: '12', data: '12' });
      channel.append({ position: '13', data: '13' });
      const places = ['11', '11~next', '12', '13'].map((id) => resumePlace(channel, id));
      expect(places).toEqual([
        { seq: 1, position: '11', hasEnded: true },
        { seq: 1, position: '11~next', hasEnded: false },
        { seq: 2, position: '12', hasEnded: false },
        { seq: 3, position: '13', hasEnded: false },
      ]);
      const other = hasHistory
        ? { position: '10', isOfSource: false, mayHaveEnded: true }
        : 'unknown-position';
      expect(resumePlace(channel, '10')).toEqual(other);
      if (hasHistory) {
        expect(resumePlace(channel, '10~next')).toEqual({
          ...(other as object),
          mayHaveEnded: false,
        });
        const earliest = { position: undefined, isOfSource: true, mayHaveEnded: false };
        expect(resumePlace(channel, 'earliest')).toEqual(earliest);
      }
    }
  });
});
