import { describe, expect, it } from '@jest/globals';
import { GatheredLog, type Happening } from '../../lib/channel/gathered-log.js';
import { LogRecorder } from '../cache/recorder.js';
import { until } from '../support/until.js';

function lost(name: string, level: Happening['level'] = 'warn'): Happening {
  return {
    level,
    cause: 'lost',
    line: `${name} is lost.`,
    several: (count, names) => `${count} are lost: ${names}.`,
  };
}

function found(name: string): Happening {
  return {
    level: 'log',
    cause: 'found',
    line: `${name} is found.`,
    several: (count, names) => `${count} are found: ${names}.`,
  };
}

describe('What happens to many names', () => {
  it.each([
    [['a'], 'a is lost.'],
    [['a', 'b'], '2 are lost: a and b.'],
    [['a', 'b', 'c'], '3 are lost: a, b and c.'],
    [['a', 'b', 'c', 'd'], '4 are lost: a, b, c and 1 more.'],
    [['a', 'b', 'c', 'd', 'e'], '5 are lost: a, b, c and 2 more.'],
    [['a', 'b', 'a', 'a'], '2 are lost: a and b.'],
  ])('is one line after a moment: %j', async (names, line) => {
    const log = new LogRecorder();
    const gathered = new GatheredLog(log);
    names.forEach((name) => gathered.note(name, lost(name)));
    expect(log.lines).toEqual([]);
    await until(() => log.lines.length > 0);
    gathered.stop();
    expect(log.lines).toEqual([line]);
  });

  it('is a line again when it happens later', async () => {
    const log = new LogRecorder();
    const gathered = new GatheredLog(log);
    gathered.note('a', lost('a'));
    await until(() => log.lines.length === 1);
    gathered.note('b', lost('b'));
    await until(() => log.lines.length === 2);
    gathered.stop();
    expect(log.lines).toEqual(['a is lost.', 'b is lost.']);
  });

  it('is a line for each level and cause', () => {
    const log = new LogRecorder();
    const gathered = new GatheredLog(log);
    ['a', 'b'].forEach((name) => gathered.note(name, lost(name)));
    ['c', 'd'].forEach((name) => gathered.note(name, found(name)));
    ['e', 'f'].forEach((name) => gathered.note(name, lost(name, 'error')));
    expect([...log.lines, ...log.errors]).toEqual([]);
    gathered.stop();
    expect(log.lines).toEqual(['2 are lost: a and b.', '2 are found: c and d.']);
    expect(log.errors).toEqual(['2 are lost: e and f.']);
  });

  it('keeps its order for each name', () => {
    const log = new LogRecorder();
    const gathered = new GatheredLog(log);
    gathered.note('other', found('other'));
    gathered.note('a', lost('a'));
    gathered.note('a', found('a'));
    gathered.stop();
    expect(log.lines).toEqual(['other is found.', 'a is lost.', 'a is found.']);
  });

  it('is written when the log stops, and at once from then on', () => {
    const log = new LogRecorder();
    const gathered = new GatheredLog(log);
    ['a', 'b'].forEach((name) => gathered.note(name, lost(name)));
    gathered.stop();
    gathered.note('c', lost('c'));
    gathered.stop();
    expect(log.lines).toEqual(['2 are lost: a and b.', 'c is lost.']);
  });
});
