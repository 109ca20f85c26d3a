import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Walk } from '../../lib/delivery/walk.js';

describe('A walk', () => {
  const PERIOD = 6_400;
  let visits: number[];

  beforeEach(() => {
    jest.useFakeTimers();
    visits = [];
  });
  afterEach(() => void jest.useRealTimers());

  const walkOf = (members: Set<number>, period = PERIOD) =>
    new Walk(members, period, (member) => visits.push(member));
  const membersTo = (count: number) => new Set(Array.from({ length: count }, (_, i) => i + 1));

  it.each([1, 2, 63, 64, 65, 1_000])(
    'visits each of %d members once a period, in steps',
    (count) => {
      const members = membersTo(count);
      const walk = walkOf(members);
      walk.start();
      walk.start();
      jest.advanceTimersByTime(PERIOD / 2);
      expect(visits).toHaveLength(Math.floor(count / 2));
      for (const round of [1, 2, 3]) {
        jest.advanceTimersByTime(round === 1 ? PERIOD / 2 : PERIOD);
        expect(visits).toEqual([...members]);
        visits.length = 0;
      }
      walk.stop();
      jest.advanceTimersByTime(PERIOD);
      expect([visits, jest.getTimerCount()]).toEqual([[], 0]);
    },
  );

  it('takes steps of 20 ms at least, and of the whole period where that is shorter', () => {
    for (const [period, step] of [
      [100, 20],
      [5, 5],
      [64_000, 1_000],
    ] as const) {
      visits.length = 0;
      const walk = walkOf(membersTo(64 * 3), period);
      walk.start();
      jest.advanceTimersByTime(step - 1);
      expect(visits).toEqual([]);
      jest.advanceTimersByTime(1);
      expect(visits.length).toBe(Math.floor((64 * 3 * step) / period));
      walk.stop();
    }
  });

  it('ends when it finds no member, and begins again', () => {
    const members = membersTo(2);
    const walk = walkOf(members);
    walk.start();
    jest.advanceTimersByTime(PERIOD);
    members.clear();
    jest.advanceTimersByTime(PERIOD);
    expect(jest.getTimerCount()).toBe(0);
    members.add(3);
    walk.start();
    jest.advanceTimersByTime(PERIOD);
    expect(visits).toEqual([1, 2, 3]);
    walk.stop();
  });

  it('visits members that come, and none that has left', () => {
    const members = membersTo(4);
    const walk = walkOf(members);
    walk.start();
    jest.advanceTimersByTime(PERIOD / 2);
    members.delete(4);
    members.add(5);
    jest.advanceTimersByTime(PERIOD / 2);
    expect(visits).toEqual([1, 2, 3, 5]);
    walk.stop();
  });

  it('visits none of those that leave in a step, and those that come after it', () => {
    const members = membersTo(3);
    const walk = new Walk(members, 5, (member) => {
      visits.push(member);
      members.clear();
    });
    walk.start();
    jest.advanceTimersByTime(5);
    expect(visits).toEqual([1]);
    members.add(4);
    members.add(5);
    jest.advanceTimersByTime(5);
    expect(visits).toEqual([1, 4]);
    walk.stop();
  });
});
