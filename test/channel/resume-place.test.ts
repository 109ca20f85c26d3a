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
});
