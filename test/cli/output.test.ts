import { describe, expect, it } from '@jest/globals';
import type { ListenedEvent } from '../../lib/cli/listen/listened-event.js';
import { hasColours, jsonOf, linesOf } from '../../lib/cli/listen/output.js';
import { Positions } from '../../lib/cli/listen/positions.js';

const event: ListenedEvent = {
  at: 0,
  type: '\x1b[31mtype',
  data: 'one\n\x1b[2Jtwo',
  id: 'id',
  position: '\x07id',
  channel: 'room\x9b:1',
  delay: 12,
};

describe('The output for people', () => {
  it('has no control characters but its own line ends and colours', () => {
    expect(linesOf(event, false)).toBe(
      '00:00:00.000  room\\x9b:1  \\x07id  12 ms  \\x1b[31mtype  one\n    \\x1b[2Jtwo\n',
    );
    expect(linesOf(event, true)).toBe(
      '\x1b[2m00:00:00.000\x1b[0m  room\\x9b:1  \x1b[2m\\x07id\x1b[0m  \x1b[2m12 ms\x1b[0m  ' +
        '\x1b[36m\\x1b[31mtype\x1b[0m  one\n    \\x1b[2Jtwo\n',
    );
  });

  it('shows what a text hides, in JSON with the same value', () => {
    const told = { type: 'a\u200bb', data: '\u{e0041}\u202e', id: '\ufeff', position: '\ufeff' };
    const hidden = { ...event, ...told, channel: undefined, delay: undefined };
    expect(linesOf(hidden, false)).toBe('00:00:00.000  \\ufeff  a\\u200bb  \\u{e0041}\\u202e\n');
    const json = jsonOf(hidden);
    expect(json).toMatch(/^[ -~]+\n$/);
    expect(JSON.parse(json)).toEqual({ ...told, at: '1970-01-01T00:00:00.000Z' });
  });

  it('has colours on a terminal, unless it has none or nobody wants them', () => {
    expect(hasColours({ isTTY: true }, {})).toBe(true);
    expect(hasColours({}, {})).toBe(false);
    expect(hasColours({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(hasColours({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
  });
});

describe('The position of a stream', () => {
  it('is the last id as it came, where ids have no labels', () => {
    const positions = new Positions('first');
    expect(positions.lastEventId).toBe('first');
    expect(positions.take('a:1,b:2')).toEqual({ channel: undefined, position: 'a:1,b:2' });
    expect(positions.lastEventId).toBe('a:1,b:2');
    positions.take('');
    expect(positions.lastEventId).toBe('');
  });

  it('is put together of ids that tell of one channel each', () => {
    const positions = new Positions(undefined);
    positions.begin({ aaaaaaaa: 'one', bbbbbbbb: 'two' }, 'aaaaaaaa:1,bbbbbbbb:1');
    expect(positions.take('aaaaaaaa:2')).toEqual({ channel: 'one', position: '2' });
    expect(positions.take('bbbbbbbb:5')).toEqual({ channel: 'two', position: '5' });
    expect(positions.lastEventId).toBe('aaaaaaaa:2,bbbbbbbb:5');
  });

  it('tells the channel of an event by what has changed in the id of all', () => {
    const positions = new Positions(undefined);
    positions.begin({ aaaaaaaa: 'one', bbbbbbbb: 'two' }, 'aaaaaaaa:1,bbbbbbbb:1');
    expect(positions.take('aaaaaaaa:1,bbbbbbbb:2')).toEqual({ channel: 'two', position: '2' });
    // Of both, or of neither, nobody knows.
    expect(positions.take('aaaaaaaa:3,bbbbbbbb:3').channel).toBeUndefined();
  });

  it('forgets channels that the server has left out', () => {
    const positions = new Positions(undefined);
    positions.begin({ aaaaaaaa: 'one', bbbbbbbb: 'two' }, 'aaaaaaaa:1,bbbbbbbb:1');
    positions.begin({ bbbbbbbb: 'two' }, 'bbbbbbbb:4');
    expect(positions.lastEventId).toBe('bbbbbbbb:4');
  });

  it.each([null, 'text', 5, { aaaaaaaa: 5 }])('takes no labels from %j', (labels) => {
    const positions = new Positions(undefined);
    positions.begin(labels, 'aaaaaaaa:1');
    expect(positions.lastEventId).toBe('aaaaaaaa:1');
  });
});
