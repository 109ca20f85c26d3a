import { describe, expect, it } from '@jest/globals';
import { monotonicNow } from '../../lib/channel/clock.js';
import { EventLog } from '../../lib/channel/event-log.js';
import { LocalPositions } from '../../lib/channel/local-positions.js';

const UNLIMITED = { events: Infinity, bytes: Infinity, age: Infinity };

const nobodyHasRead = () => 0;

/** What tells the positions of a log from those of others. */
const epochOf = (log: EventLog): string => log.headPosition!.replace(/-\d+$/, '');

const filled = (count: number, limits: Partial<typeof UNLIMITED> = {}) => {
  const log = new EventLog({ ...UNLIMITED, ...limits }, nobodyHasRead);
  const ids = [log.headPosition!];
  for (let i = 1; i <= count; i++) {
    ids.push(log.append({ data: `${i}` }).id);
  }
  return { log, ids };
};

describe('An EventLog', () => {
  it('numbers events from 1, and tells its own positions from those of other logs', () => {
    const { log, ids } = filled(3);
    expect(ids).toEqual([0, 1, 2, 3].map((n) => `${epochOf(log)}-${n}`));
    expect(log.headPosition).toBe(ids[3]);
    expect(log).toMatchObject({ head: 3, first: 1, retained: 1, size: 3 });
    expect([1, 2, 3].map((seq) => log.at(seq).data)).toEqual(['1', '2', '3']);
    const others = Array.from({ length: 1_000 }, () => new LocalPositions());
    expect(new Set(others.map(({ epoch }) => epoch)).size).toBe(1_000);
    expect(others.filter(({ epoch }) => /[^A-Za-z0-9._]/.test(epoch))).toEqual([]);
  });

  it('finds each of its positions, and no other', () => {
    const { log, ids } = filled(10);
    expect(ids.map((id) => log.locate(id))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const epoch = epochOf(log);
    for (const id of [
      `${epoch}-11`,
      `${epoch}--1`,
      `${epoch}-01`,
      `${epoch}-1.5`,
      `${epoch}-`,
      `${epoch}-1e0`,
      `${epoch}- 1`,
      epoch,
      '',
      '1',
      `x${epoch}-1`,
      `${epoch}-99999999999999999999`,
    ]) {
      expect([id, log.locate(id)]).toEqual([id, 'unknown-position']);
    }
  });

  it('retains a number of events and of bytes, and each event for a time', () => {
    const byEvents = filled(10, { events: 3 });
    expect(byEvents.log).toMatchObject({ size: 3, retained: 8, head: 10 });
    expect(byEvents.log.locate(byEvents.ids[7]!)).toBe(7);
    expect(byEvents.log.locate(byEvents.ids[6]!)).toBe('trimmed');
    // Attached readers are given a moment more.
    expect(byEvents.log.first).toBe(1);

    const byBytes = filled(9, { bytes: 3 * 129 });
    expect(byBytes.log).toMatchObject({ size: 3, bytes: 3 * 129 });

    const byAge = filled(10, { age: 500 });
    const { time } = byAge.log.at(10);
    byAge.log.trim(byAge.log.at(1).time + 500);
    expect(byAge.log.size).toBe(10);
    byAge.log.trim(time + 501);
    expect(byAge.log).toMatchObject({ size: 0, bytes: 0, head: 10 });
    expect(byAge.log.headPosition).toBe(byAge.ids[10]);
    expect(byAge.log.locate(byAge.ids[10]!)).toBe(10);
    expect(byAge.log.locate(byAge.ids[9]!)).toBe('trimmed');
    byAge.log.trim(byAge.log.at(1).time + 10_000);
    expect(byAge.log.first).toBe(1);
    byAge.log.trim(time + 10_001);
    expect(byAge.log.first).toBe(11);
    expect(byAge.log.append({ data: '11' }).id).toBe(`${epochOf(byAge.log)}-11`);
    expect(byAge.log.at(11).data).toBe('11');
  });

  it('retains nothing that is too old when a client returns', () => {
    const log = new EventLog({ ...UNLIMITED, age: 500 }, nobodyHasRead);
    const old = monotonicNow() - 1_000;
    const ids = ['a', 'b'].map((data) => log.append({ data }, undefined, old).id);
    expect([log.size, log.locate(ids[0]!), log.size]).toEqual([2, 'trimmed', 0]);
  });

  it('keeps a burst of 16 times its bytes for attached cursors, also after an earlier one', () => {
    const log = new EventLog({ ...UNLIMITED, bytes: 1_290 }, nobodyHasRead);
    for (const burst of [1, 2, 3]) {
      const before = log.head;
      for (let i = 0; i < 160; i++) {
        log.append({ data: 'x' });
      }
      expect([burst, log.first, log.size]).toEqual([burst, before + 1, 10]);
      log.append({ data: 'x' });
      expect([burst, log.first]).toEqual([burst, before + 2]);
      log.trim(monotonicNow() + 20_000);
      log.restart();
      log.append({ data: 'x'.repeat(1_290) });
      log.trim(monotonicNow() + 20_000);
      expect([burst, log.first, log.size]).toEqual([burst, log.head + 1, 0]);
    }
  });

  it('keeps its newest event, however large that is', () => {
    const log = new EventLog({ ...UNLIMITED, bytes: 10 }, nobodyHasRead);
    log.append({ data: 'x'.repeat(10_000) });
    expect(log).toMatchObject({ head: 1, first: 1, size: 0 });
    log.append({ data: 'y'.repeat(10_000) });
    expect(log).toMatchObject({ head: 2, first: 2, size: 0 });
  });

  it('finds ids of the publisher, the first of several equal ones, and the last one trimmed', () => {
    const log = new EventLog({ ...UNLIMITED, events: 3 }, nobodyHasRead);
    for (const id of ['a', 'b', 'a', 'c']) {
      log.append({ data: id, id });
    }
    expect(log.locate('b')).toBe(2);
    expect(log.locate('c')).toBe(4);
    expect(log.locate('a')).toBe(1);
    log.append({ data: 'd', id: 'd' });
    expect(log.locate('b')).toBe(2);
    log.append({ data: 'e', id: 'e' });
    expect(log.locate('b')).toBe('unknown-position');
    log.trim(Date.now() + 10);
    expect(log.locate('e')).toBe(6);
  });

  it('uses the positions of its source', () => {
    const compare = (a: string, b: string) => Number(a) - Number(b);
    const log = new EventLog(UNLIMITED, nobodyHasRead);
    const start = log.headPosition!;
    log.startAfter('100');
    expect(log.headPosition).toBe('100');
    expect(log.locate('100', compare)).toBe(0);
    expect(log.locate('100~next', compare)).toBe(0);
    // The position it had before is none of the source's.
    expect(log.locate(start, compare)).toBe('unknown-position');
    for (const position of ['110', '120', '130']) {
      log.append({ data: position, position });
    }
    for (const order of [compare, undefined]) {
      const positions = ['100', '110', '120', '130'];
      expect(positions.map((id) => log.locate(id, order))).toEqual([0, 1, 2, 3]);
    }
    expect(log.locate('110.0', compare)).toBe(1);
    for (const id of ['99', '115', '131', 'x', '', `${filled(1).ids[1]}`]) {
      expect([id, log.locate(id, compare)]).toEqual([id, 'unknown-position']);
      expect([id, log.locate(id)]).toEqual([id, 'unknown-position']);
    }
  });

  it.each([
    ['with', (a: string, b: string) => Number(a) - Number(b)],
    ['without', undefined],
  ])('finds the retained ones of many positions, %s an order', (_, compare) => {
    const log = new EventLog({ ...UNLIMITED, events: 10 }, nobodyHasRead);
    const locate = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, index) => log.locate(`${from + index}`, compare));
    for (let number = 1; number <= 30; number++) {
      log.append({ data: '', position: `${number}` });
      const first = Math.max(0, number - 10);
      expect(locate(1, first - 1)).toEqual(Array(Math.max(0, first - 1)).fill('unknown-position'));
      const known = Array.from({ length: number - first }, (_, index) => first + 1 + index);
      expect(locate(first + 1, number)).toEqual(known);
    }
  });

  it('finds none at a position of which only resets are left', () => {
    const compare = (a: string, b: string) => Number(a) - Number(b);
    const log = new EventLog({ ...UNLIMITED, events: 2 }, nobodyHasRead);
    log.append({ data: 'a', position: '120' });
    const [first] = [1, 2].map(() => log.append({ data: '', position: '120' }, 'listener-gap'));
    log.append({ data: 'b', position: '130' });
    expect(log.retained).toBe(3);
    // A client that has received the event has yet to receive the reset.
    expect(log.locate('120', compare)).toBe('unknown-position');
    expect(log.locate(first!.id, compare)).toBe(2);
  });

  it('finds an event at a position where resets stand as well', () => {
    const compare = (a: string, b: string) => Number(a) - Number(b);
    for (const announced of [1, 2, 5, 20]) {
      const log = new EventLog(UNLIMITED, nobodyHasRead);
      log.append({ data: 'a', position: '110' });
      log.append({ data: 'b', position: '120' });
      for (let n = 0; n < announced; n++) {
        log.append({ data: '', position: '120' }, 'listener-gap');
      }
      log.append({ data: 'c', position: '130' });
      expect(['110', '120', '130'].map((id) => log.locate(id, compare))).toEqual([
        1,
        2,
        announced + 3,
      ]);
    }
  });

  it('knows which events ended their run, and lets the source answer for older ones', () => {
    const log = new EventLog({ ...UNLIMITED, events: 2 }, nobodyHasRead);
    expect(log.endsAt(0)).toBe(false);
    log.append({ data: 'end', end: true });
    log.append({ data: '2' });
    expect([0, 1, 2].map((seq) => log.endsAt(seq))).toEqual([false, true, false]);
    log.append({ data: '3' });
    expect(log.endsAt(1)).toBe(true);
    log.startAfter('p');
    expect(log.endsAt(log.retained - 1)).toBeUndefined();
    log.noteEnd('q', true);
    expect(log.endsAt(log.retained - 1)).toBeUndefined();
    log.noteEnd('p', true);
    expect(log.endsAt(log.retained - 1)).toBe(true);
  });

  it('knows the positions of clients as far as it can be read, and that before its window', () => {
    const log = new EventLog({ ...UNLIMITED, events: 2 }, nobodyHasRead);
    for (const number of [1, 2, 3, 4, 5]) {
      log.append({ data: '', position: `${number}`, end: number > 3 });
    }
    log.trim(monotonicNow() + 20_000);
    expect(log).toMatchObject({ first: 4, retained: 4, head: 5 });
    const known = [undefined, undefined, '3', '4', '5'];
    expect([1, 2, 3, 4, 5].map((seq) => log.positionAt(seq))).toEqual(known);
    // Who starts after an end without having received it waits for the next run.
    const starts = [undefined, '3', '4~next', '5~next'];
    expect([2, 3, 4, 5].map((seq) => log.startingPosition(seq))).toEqual(starts);
    log.append({ data: '', position: '6' });
    expect([4, 6].map((seq) => log.startingPosition(seq))).toEqual(['4~next', '6']);
    log.startAfter('p');
    log.trim(monotonicNow() + 20_000);
    expect(log.startingPosition(log.retained - 1)).toBe('p~next');
    log.noteEnd('p', false);
    expect(log.startingPosition(log.retained - 1)).toBe('p');
  });

  it('keeps the place of its newest event, but for a failover', () => {
    const log = new EventLog(UNLIMITED, nobodyHasRead);
    expect(log.newest).toBeUndefined();
    log.append({ data: '', position: '1', id: 'own' });
    log.append({ data: '', position: '1' }, 'listener-gap');
    expect(log.newest).toEqual({ position: '1', id: 'own' });
    log.append({ data: '', position: '1' }, 'failover');
    expect(log.newest).toBeUndefined();
  });

  it('drops what was before a restart for returning clients', () => {
    const { log, ids } = filled(5);
    log.restart();
    expect(log).toMatchObject({ size: 1, retained: 5 });
    expect(log.locate(ids[3]!)).toBe('trimmed');
    expect(log.locate(ids[4]!)).toBe(4);
  });

  it('spends the same time on an event, however many there were', () => {
    const log = new EventLog({ ...UNLIMITED, events: 100 }, nobodyHasRead);
    let longest = 0;
    for (let i = 0; i < 100_000; i++) {
      log.append({ data: 'x' });
      if (i % 1_000 === 0) {
        log.trim(Date.now() + 20_000);
      }
      longest = Math.max(longest, log.head - log.first + 1);
    }
    expect(log.size).toBe(100);
    expect(longest).toBeLessThan(3_000);
    expect(log['entries'].length).toBeLessThan(6_000);
    expect(log.bytes).toBe(100 * 129);
  });

  it('keeps a burst only until the cursors have had time to read it', () => {
    let [read, asked] = [0, 0];
    const log = new EventLog({ ...UNLIMITED, events: 100 }, () => {
      asked++;
      return read;
    });
    for (let i = 0; i < 50_000; i++) {
      log.append({ data: 'x' });
    }
    expect(log.first).toBe(1);
    expect(asked).toBeLessThan(10);
    let [longest, needed] = [0, 0];
    for (let i = 0; i < 200_000; i++) {
      // A cursor that reads in portions.
      read = log.head - (i % 100);
      log.append({ data: 'x' });
      longest = i < 100_000 ? 0 : Math.max(longest, log.head - log.first);
      needed += log.first > read + 1 ? 1 : 0;
    }
    expect(needed).toBe(0);
    expect(longest).toBeLessThan(1_500);
    expect(asked).toBeLessThan(250);
  });
});
