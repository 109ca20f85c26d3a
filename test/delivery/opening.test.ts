import { describe, expect, it } from '@jest/globals';
import { MAX_TIMER_MS } from '../../lib/channel/clock.js';
import { awayFrame, deniedFrame, openingFrame } from '../../lib/delivery/opening.js';
import { SseFrameParser, type SseFrame } from '../../lib/testing/index.js';

const PLACE = { id: '7', channels: ['a'], labels: { label: 'a' } };

function parsed(text: string): SseFrame[] {
  const frames: SseFrame[] = [];
  new SseFrameParser((frame) => void frames.push(frame)).push(Buffer.from(text));
  return frames;
}

const times = (retry: number) =>
  Array.from({ length: 500 }, () => parsed(openingFrame('frame', retry, PLACE))[0]!.retry!);

describe('The first frame of a stream', () => {
  it('tells where it starts and of which channels, in an event or by the id alone', () => {
    const [event, ...others] = parsed(openingFrame('event', 1_000, PLACE));
    expect(event).toMatchObject({ type: 'sse:open', id: '7' });
    expect(JSON.parse(event!.data!)).toEqual({ channels: ['a'], labels: { label: 'a' } });
    expect(others).toEqual([]);
    const [frame] = parsed(openingFrame('frame', 1_000, PLACE));
    expect([frame!.id, frame!.data]).toEqual(['7', undefined]);
    expect(
      parsed(openingFrame('event', 1_000, { ...PLACE, id: undefined }))[0]!.id,
    ).toBeUndefined();
  });

  it('has clients return spread by half to either side, in whole milliseconds that a timer takes', () => {
    const all = times(1_000);
    expect(all.every((time) => Number.isInteger(time) && time >= 500 && time <= 1_500)).toBe(true);
    // Each of these has a chance of one in 10^30 to fail.
    expect(Math.min(...all)).toBeLessThan(630);
    expect(Math.max(...all)).toBeGreaterThan(1_370);
    expect(Math.max(...times(MAX_TIMER_MS))).toBe(MAX_TIMER_MS);
  });

  it('has a client return after exactly the time for which it is sent away', () => {
    const [frame, ...others] = parsed(awayFrame(1_234.4));
    expect(frame).toMatchObject({ retry: 1_234 });
    expect([frame!.id, frame!.data, others]).toEqual([undefined, undefined, []]);
  });
});

it('A client is told which channels are denied, and nothing when none is', () => {
  expect(deniedFrame([])).toBe('');
  expect(parsed(deniedFrame(['a', 'b']))).toMatchObject([
    { type: 'sse:denied', data: '{"channels":["a","b"]}' },
  ]);
});
