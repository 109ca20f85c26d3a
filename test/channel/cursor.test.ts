import { describe, expect, it, jest } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';
import { monotonicNow } from '../../lib/channel/clock.js';
import { Cursor } from '../../lib/channel/cursor.js';
import type { HistoryPage, SourceEvent } from '../../lib/channel/source.js';
import { until } from '../support/until.js';

const LIMITS = { events: Infinity, bytes: Infinity, age: Infinity, eventSize: 1_000 };

/** Longer than attached cursors can read what has left the window. */
const AFTER_GRACE_MS = 20_000;

const numbered = (...positions: number[]) =>
  positions.map((position) => ({ position: `${position}`, data: `${position}` }));

/** A channel at the position 10, whose source has a history that answers when a test tells it to. */
function rig(limits: Partial<typeof LIMITS> = {}, current?: SourceEvent) {
  const channel = new Channel('c', { ...LIMITS, ...limits }, () => undefined);
  const asked: { position: string | undefined; answer: (page: HistoryPage) => void }[] = [];
  channel.feedFrom({
    close: () => undefined,
    current: () => current,
    history: {
      compare: (a, b) => Number(a) - Number(b),
      read: (position) => new Promise((resolve) => void asked.push({ position, answer: resolve })),
    },
  });
  channel.live('10');
  let pulls = 0;
  const open = () => new Cursor(channel, { pull: () => void pulls++ });
  /** Answers the first request that has no answer, and waits until its readers have it. */
  const answer = async (page: Partial<HistoryPage>, readers = 1): Promise<void> => {
    await until(() => asked.length > 0);
    const before = pulls;
    asked.shift()!.answer({ events: [], last: true, ...page });
    await until(() => pulls >= before + readers);
  };
  const append = (...positions: number[]): void =>
    numbered(...positions).forEach((event) => void channel.append(event));
  /** Drops what the log need not keep for attached cursors any more. */
  const dropGrace = (): void => channel.log.trim(monotonicNow() + AFTER_GRACE_MS);
  return { channel, asked, open, answer, append, dropGrace };
}

/** Takes everything that the cursor can read now. */
function takeAll(cursor: Cursor): string[] {
  const taken: string[] = [];
  for (let state = cursor.next(); /log|page|reset/.test(state); state = cursor.next()) {
    const { type, data } = cursor.take();
    taken.push(type === 'sse:reset' ? (JSON.parse(data) as { reason: string }).reason : data);
  }
  return taken;
}

describe('A cursor that reads history', () => {
  it('keeps the id that its client came with until history answers, and then that of each event', async () => {
    const { open, answer, append } = rig();
    append(11, 12);
    const cursor = open();
    void cursor.resume('8');
    expect([cursor.next(), cursor.position, cursor.isInLog]).toEqual(['loading', '8', false]);
    await answer({ events: numbered(9, 10), last: false });
    for (const position of ['9', '10']) {
      expect([cursor.next(), cursor.isInLog]).toEqual(['page', false]);
      expect([cursor.peek().data, cursor.take().data, cursor.position]).toEqual(
        Array(3).fill(position),
      );
    }
    expect([cursor.next(), cursor.isInLog]).toEqual(['loading', false]);
    append(13);
    await answer({ events: numbered(11, 12) });
    expect([cursor.take().data, cursor.take().data]).toEqual(['11', '12']);
    // It has yet to find its place in the log.
    expect(cursor.isInLog).toBe(false);
    expect([cursor.next(), cursor.isInLog]).toEqual(['log', true]);
    expect(takeAll(cursor)).toEqual(['13']);
  });

  it('has no position before its first event when it begins at the oldest', async () => {
    const { open, answer } = rig();
    const cursor = open();
    void cursor.resume('earliest');
    expect(cursor.position).toBeUndefined();
    await answer({ events: numbered(1) });
    expect([takeAll(cursor), cursor.position]).toEqual([['1'], '1']);
  });

  it.each([
    ['own', '7'],
    ['own~next', '7~next'],
    ['7', '7'],
    ['7~next', '7~next'],
    // A reset at the client's place, which its id tells from others there.
    ['7~next3', '7~next3'],
    ['own~next3', '7~next'],
  ])('learns from the first page what the id %s stands for', async (id, position) => {
    const { open, answer } = rig();
    const cursor = open();
    void cursor.resume(id);
    await answer({ position: '7', events: numbered(9) });
    expect([cursor.next(), cursor.position]).toEqual(['page', position]);
  });

  it('learns once for all whether the event before the log ended its run', async () => {
    const { asked, open, answer } = rig();
    const cursor = open();
    const placed = cursor.resume('10');
    await answer({ ended: true });
    await placed;
    expect([cursor.hasEnded, cursor.next(), cursor.isInLog]).toEqual([true, 'ended', false]);
    const other = open();
    void other.resume('10');
    expect([other.hasEnded, asked.length]).toEqual([true, 0]);
  });

  it.each<[string, HistoryPage, string[]]>([
    [
      'with an event twice',
      { events: numbered(11, 11, 12), last: true },
      ['11', 'skipped-event', '12'],
    ],
    [
      'out of order',
      { events: numbered(13, 12, 11, 14), last: true },
      ['13', 'skipped-event', '14'],
    ],
    ['with no reset', { events: numbered(11), last: true, reset: null as never }, ['11']],
    ['with a reset', { events: numbered(11), last: true, reset: 'trimmed' }, ['trimmed']],
    ['with an unknown reset', { events: [], last: true, reset: 'x' as never }, ['listener-gap']],
  ])('takes a page %s without a repeat', async (_, page, expected) => {
    const { open, answer } = rig();
    const cursor = open();
    void cursor.resume('10');
    await answer(page);
    expect(takeAll(cursor)).toEqual(expected);
  });

  it('goes on in the log where the page began that another reader had asked for', async () => {
    const { asked, open, answer, append } = rig();
    append(11);
    const first = open();
    void first.resume('9');
    await until(() => asked.length > 0);
    append(12, 13);
    const second = open();
    void second.resume('9');
    await answer({ events: numbered(10, 11) }, 2);
    append(14);
    expect(asked).toEqual([]);
    for (const cursor of [first, second]) {
      expect(takeAll(cursor)).toEqual(['10', '11', '12', '13', '14']);
    }
  });

  it('gives a reset that came meanwhile before the events after it', async () => {
    const { asked, channel, open, answer, append } = rig();
    append(11);
    const cursor = open();
    void cursor.resume('9');
    await until(() => asked.length > 0);
    channel.reset('listener-gap');
    append(12, 13);
    await answer({ events: numbered(10, 11, 12) });
    expect(['10', '11', '12'].map(() => cursor.take().data)).toEqual(['10', '11', '12']);
    // Not in a block of the log, which the reset is no part of.
    expect(cursor.next()).toBe('page');
    expect(takeAll(cursor)).toEqual(['listener-gap', '13']);
  });

  it('gives a reset, and asks for no more, when its source cannot order it and the log', async () => {
    const { asked, channel, open, answer, append } = rig();
    append(11);
    const cursor = open();
    void cursor.resume('9');
    await until(() => asked.length > 0);
    channel.append({ position: 'no number', data: 'x' });
    await answer({ events: numbered(10, 11) });
    expect(takeAll(cursor)).toEqual(['10', '11', 'listener-gap']);
    expect([cursor.next(), asked]).toEqual(['idle', []]);
    channel.append({ position: '13', data: '13' });
    expect(takeAll(cursor)).toEqual(['13']);
  });

  it('reads more of it when the log has dropped meanwhile what follows', async () => {
    const { asked, channel, open, answer, append, dropGrace } = rig({ events: 2 });
    append(11);
    const cursor = open();
    void cursor.resume('9');
    await until(() => asked.length > 0);
    append(12, 13, 14, 15);
    dropGrace();
    expect(channel.log.first).toBe(4);
    await answer({ events: numbered(10, 11) });
    expect(takeAll(cursor)).toEqual(['10', '11']);
    expect([cursor.next(), asked[0]?.position]).toEqual(['loading', '11']);
    await answer({ events: numbered(12, 13, 14, 15) });
    expect(takeAll(cursor)).toEqual(['12', '13', '14', '15']);
  });

  it('goes on behind the end of a run that a page has given', async () => {
    const { open, answer } = rig();
    const cursor = open();
    void cursor.resume('7');
    await answer({ events: [{ position: '8', data: '8', end: true }], last: false });
    expect([cursor.take().data, cursor.position]).toEqual(['8', '8']);
    await answer({ events: numbered(9), ended: true });
    expect([cursor.hasEnded, cursor.position, takeAll(cursor)]).toEqual([false, '8', ['9']]);
  });

  it('asks for no more once it is closed, whether a page is under way or has come', async () => {
    const { asked, channel, open, answer } = rig();
    const [first, second] = [open(), open()];
    void first.resume('7');
    await answer({ events: numbered(8), last: false });
    void second.resume('6');
    await until(() => asked.length > 0);
    first.close();
    second.close();
    first.take();
    asked.shift()!.answer({ events: numbered(7), last: false });
    await new Promise(setImmediate);
    expect([asked, channel.places.size]).toEqual([[], 0]);
  });

  it('leaves no timer behind when it is closed while a page is under way', async () => {
    jest.useFakeTimers();
    try {
      const { asked, open } = rig();
      const cursor = open();
      void cursor.resume('7');
      await jest.advanceTimersByTimeAsync(0);
      cursor.close();
      asked.shift()!.answer({ events: numbered(8), last: true });
      await jest.advanceTimersByTimeAsync(0);
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('stands at the head of the log when there is none', async () => {
    const { open, answer, append } = rig();
    const cursor = open();
    void cursor.resume('earliest');
    await answer({});
    expect([cursor.next(), cursor.position]).toEqual(['idle', '10~next']);
    append(11);
    expect([takeAll(cursor), cursor.position]).toEqual([['11'], '11']);
  });
});

describe('A cursor that the log has left behind', () => {
  const behind = (event: Partial<SourceEvent> = {}) => {
    const source = rig({ events: 2 });
    source.channel.append({ position: '11', data: '11', ...event });
    const cursor = source.open();
    source.append(12, 13, 14, 15);
    source.dropGrace();
    expect(source.channel.log.first).toBe(4);
    return { ...source, cursor };
  };

  it('reads on in history without a reset', async () => {
    const { asked, cursor, answer } = behind();
    expect([cursor.next(), cursor.resetReason]).toEqual(['loading', undefined]);
    expect(asked[0]?.position).toBe('11');
    await answer({ events: numbered(12, 13, 14, 15) });
    expect(takeAll(cursor)).toEqual(['12', '13', '14', '15']);
  });

  it('reads on although the run had ended that it began behind', async () => {
    const { cursor, answer } = behind({ end: true });
    expect([cursor.position, cursor.next()]).toEqual(['11~next', 'loading']);
    await answer({ events: numbered(12, 13, 14, 15), ended: true });
    expect([cursor.hasEnded, takeAll(cursor)]).toEqual([false, ['12', '13', '14', '15']]);
  });

  it('gives a reset, not an event again, when history goes back', async () => {
    const { cursor, answer } = behind();
    cursor.next();
    await answer({ events: numbered(11, 12, 13, 14, 15) });
    expect(takeAll(cursor)).toEqual(['listener-gap']);
  });
});

describe('A cursor that gives a reset', () => {
  /** A log of two events, of which the last ends a run, and which keeps as many as it is told. */
  const ended = (events: number) => {
    const channel = new Channel('c', { ...LIMITS, events }, () => undefined);
    channel.live();
    const cursor = new Cursor(channel, { pull: () => undefined });
    channel.append({ data: '1' });
    channel.append({ data: 'end', end: true });
    channel.log.trim(monotonicNow() + AFTER_GRACE_MS);
    return { channel, cursor };
  };

  it.each(['slow-consumer', 'trimmed'] as const)(
    'because it is behind (%s) gives the end of its run',
    (reason) => {
      const { channel, cursor } = ended(1);
      expect([channel.log.first, channel.log.head]).toEqual([2, 2]);
      cursor.resetReason = reason;
      expect(cursor.isInLog).toBe(false);
      expect(takeAll(cursor)).toEqual([reason, 'end']);
      expect(cursor.position).toBe(channel.log.headPosition);
    },
  );

  it('because it is behind moves to the head when nothing is readable there', () => {
    const { channel, cursor } = ended(0);
    expect(channel.log.first).toBe(3);
    expect([cursor.next(), cursor.resetReason]).toEqual(['reset', 'slow-consumer']);
    expect(takeAll(cursor)).toEqual(['slow-consumer']);
    expect([cursor.seq, cursor.position]).toEqual([2, `${channel.log.headPosition}~next`]);
  });

  it.each(['unknown-position', 'listener-gap', 'failover'] as const)(
    'for another reason (%s) waits for the next run',
    (reason) => {
      const { channel, cursor } = ended(2);
      cursor.resetReason = reason;
      expect(takeAll(cursor)).toEqual([reason]);
      expect(cursor.position).toBe(`${channel.log.headPosition}~next`);
    },
  );

  it('begins with the first event of its source only when it starts live', () => {
    const { open, channel } = rig({}, { data: 'first' });
    const cursor = open();
    expect(cursor.isInLog).toBe(true);
    cursor.startLive();
    expect([cursor.isInLog, cursor.position]).toEqual([false, '10~next']);
    channel.append({ position: '11', data: '11' });
    expect(takeAll(cursor)).toEqual(['first', '11']);
    expect([cursor.isInLog, cursor.position]).toEqual([true, '11']);
  });
});
