import { afterEach, describe, expect, it } from '@jest/globals';
import { backoff } from '../../lib/channel/backoff.js';
import { settledWithin, withDeadline } from '../../lib/channel/deadline.js';
import { Guard } from '../../lib/channel/guard.js';
import { LimitedLog } from '../../lib/channel/limited-log.js';
import { Outage } from '../../lib/channel/outage.js';
import { inSlices } from '../../lib/channel/slices.js';
import { Pace } from '../../lib/channel/pace.js';
import { plainLog } from '../../lib/channel/plain-log.js';
import type { SseLogger } from '../../lib/channel/source.js';
import { until } from '../support/until.js';

class Lines implements SseLogger {
  readonly lines: string[] = [];
  log(message: string): void {
    this.lines.push(`log ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
}

describe('backoff()', () => {
  it('doubles up to its longest wait, and half of each wait is random', () => {
    const range = { first: 200, most: 30_000 };
    for (const [attempt, full] of [
      [0, 200],
      [1, 400],
      [7, 25_600],
      [8, 30_000],
      [2_000, 30_000],
    ] as const) {
      const waits = Array.from({ length: 200 }, () => backoff(attempt, range));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(full / 2);
      expect(Math.max(...waits)).toBeLessThanOrEqual(full);
      expect(new Set(waits).size).toBeGreaterThan(100);
    }
  });
});

describe('An Outage', () => {
  it('logs a line when it begins and a line when it ends, each time', () => {
    const log = new Lines();
    const outage = new Outage(log);
    outage.end('back');
    for (let i = 0; i < 3; i++) outage.begin('away');
    expect(outage.lasts).toBe(true);
    for (let i = 0; i < 3; i++) outage.end('back');
    outage.begin('away again');
    expect(log.lines).toEqual(['error away', 'log back', 'error away again']);
  });
});

describe('A LimitedLog', () => {
  const { now } = performance;

  afterEach(() => {
    performance.now = now;
  });

  it('writes ten lines a minute, then the number of those it left out', () => {
    let time = 0;
    performance.now = () => time;
    const lines = new Lines();
    const log = new LimitedLog(lines);
    for (let i = 0; i < 25; i++) log.error(`line ${i}`);
    expect(lines.lines).toHaveLength(10);
    time = 60_000;
    log.warn('later');
    expect(lines.lines.slice(10)).toEqual([
      'warn 15 lines like the following were left out.',
      'warn later',
    ]);
  });
});

describe('plainLog()', () => {
  it('escapes control characters, so that a line remains a line', () => {
    const lines = new Lines();
    const log = plainLog(lines);
    log.error('a\nb\r\x1b[2J\u2028\x7f');
    log.warn('a\tb');
    log.log('emoji 🙂 stays');
    expect(lines.lines).toEqual([
      'error a\\x0ab\\x0d\\x1b[2J\\u2028\\x7f',
      'warn a\\x09b',
      'log emoji 🙂 stays',
    ]);
  });
});

describe('A deadline', () => {
  it('rejects when there is no answer, and passes answers and errors on', async () => {
    await expect(withDeadline(new Promise(() => undefined), 5, 'The store')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'The store gave no answer within 5 ms.',
    });
    await expect(withDeadline(Promise.resolve(7), 1_000, 'The store')).resolves.toBe(7);
    const failing = Promise.reject(new Error('no'));
    await expect(withDeadline(failing, 1_000, 'The store')).rejects.toThrow('no');
  });

  it('tells whether a promise has settled in time, however it has settled', async () => {
    expect(await settledWithin(new Promise(() => undefined), 5)).toBe(false);
    expect(await settledWithin(Promise.resolve(), 1_000)).toBe(true);
    expect(await settledWithin(Promise.reject(new Error('no')), 1_000)).toBe(true);
  });
});

describe('inSlices()', () => {
  it('visits every member once and in order, and lets others run in between', async () => {
    const members = Array.from({ length: 320 }, (_, index) => index);
    const visited: number[] = [];
    let turns = 0;
    let isDone = false;
    const visiting = inSlices(members, (member) => {
      visited.push(member);
      const end = performance.now() + 0.2;
      while (performance.now() < end);
    }).then(() => (isDone = true));
    while (!isDone) {
      turns++;
      await new Promise(setImmediate);
    }
    await visiting;
    expect(visited).toEqual(members);
    // 64 ms of work, in slices of 10 ms and a little more.
    expect(turns).toBeGreaterThan(3);
  });

  it('takes no turn of its own for little work', async () => {
    const visited: number[] = [];
    let hasTurned = false;
    setImmediate(() => (hasTurned = true));
    await inSlices([1, 2, 3], (member) => void visited.push(member));
    expect([visited, hasTurned]).toEqual([[1, 2, 3], false]);
  });
});

describe('A Pace', () => {
  const { now } = performance;

  afterEach(() => {
    performance.now = now;
  });

  /** Counts turns of the event loop from here on. */
  function turns(): { count: number; stop(): void } {
    const counter = { count: 0, stop: () => clearImmediate(immediate) };
    let immediate = setImmediate(function next() {
      counter.count++;
      immediate = setImmediate(next);
    });
    return counter;
  }

  it('lets work begin at once while its turn has time, and the rest in order in later turns', async () => {
    let time = 1_000;
    performance.now = () => time;
    const pace = new Pace((run) => run());
    const counter = turns();
    const begun: { work: number; turn: number }[] = [];
    const work = async (n: number): Promise<void> => {
      const pause = pace.enter();
      if (pause) await pause;
      // Each takes 3 ms: a slice of 10 ms begins four of them.
      time += 3;
      begun.push({ work: n, turn: counter.count });
    };
    // Whoever comes while there is time need not wait, so not even a microtask passes.
    expect(pace.enter()).toBeUndefined();
    await Promise.all(Array.from({ length: 100 }, (_, n) => work(n)));
    counter.stop();
    expect(begun.map((one) => one.work)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    const perTurn = new Map<number, number>();
    begun.forEach(({ turn }) => perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1));
    expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(5);
    expect(perTurn.size).toBeGreaterThanOrEqual(20);
  });

  it('has time again in the next turn', async () => {
    let time = 1_000;
    performance.now = () => time;
    const pace = new Pace((run) => run());
    expect(pace.enter()).toBeUndefined();
    time += 11;
    const late = pace.enter();
    expect(late).toBeInstanceOf(Promise);
    await late;
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(pace.enter()).toBeUndefined();
  });
});

describe('A Guard', () => {
  it("logs what users' code throws or rejects with, whatever it is, and passes nothing on", async () => {
    const log = new Lines();
    const guard = new Guard(log);
    expect(guard.run('A', () => 1)).toBe(1);
    const thrown: unknown[] = [
      new Error('an error'),
      'a text',
      undefined,
      Object.create(null),
      {
        toString() {
          throw new Error('from toString');
        },
      },
    ];
    for (const each of thrown) {
      const result = guard.run('B', () => {
        throw each;
      });
      expect(result).toBeUndefined();
    }
    const rejected = guard.run('C', () => Promise.reject(new Error('later')));
    await expect(rejected).rejects.toThrow('later');
    guard.wrap('D', (text: string) => {
      throw new Error(text);
    })('wrapped');
    await until(() => log.lines.length === 7);
    expect(log.lines).toEqual(
      [
        'error B failed: an error',
        'error B failed: a text',
        'error B failed: undefined',
        'error B failed: a object that cannot be shown',
        'error B failed: a object that cannot be shown',
        'error C failed: later',
        'error D failed: wrapped',
      ].sort((a, b) => log.lines.indexOf(a) - log.lines.indexOf(b)),
    );
  });
});
