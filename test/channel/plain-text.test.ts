import { describe, expect, it } from '@jest/globals';
import { plain, plainJson } from '../../lib/channel/plain-text.js';
import { SseError } from '../../lib/channel/sse-error.js';

const EVERY = Array.from({ length: 0x11_00_00 }, (_, code) => String.fromCodePoint(code));
/** What Unicode leaves to others, or to later; it is shown as a box. */
const OPEN = /[\p{Co}\p{Cn}]/u;
const UNSEEN_ONES: readonly [what: string, character: string, escape: string][] = [
  ['an escape code', '\x1b', String.raw`\x1b`],
  ['a line end', '\n', String.raw`\x0a`],
  ['DEL', '\x7f', String.raw`\x7f`],
  ['a control character of 8 bits', '\x9b', String.raw`\x9b`],
  ['a soft hyphen', '\u00ad', String.raw`\xad`],
  ['a combining grapheme joiner', '\u034f', String.raw`\u034f`],
  ['an Arabic letter mark', '\u061c', String.raw`\u061c`],
  ['a Hangul filler', '\u3164', String.raw`\u3164`],
  ['a space of no width', '\u200b', String.raw`\u200b`],
  ['a joiner of no width', '\u200d', String.raw`\u200d`],
  ['a mark from right to left', '\u200f', String.raw`\u200f`],
  ['a line separator', '\u2028', String.raw`\u2028`],
  ['an override from right to left', '\u202e', String.raw`\u202e`],
  ['a word joiner', '\u2060', String.raw`\u2060`],
  ['an isolate', '\u2067', String.raw`\u2067`],
  ['a byte order mark', '\ufeff', String.raw`\ufeff`],
  ['half of a pair', '\ud800', String.raw`\ud800`],
  ['a tag', '\u{e0041}', String.raw`\u{e0041}`],
  ['a variation selector', '\u{e0100}', String.raw`\u{e0100}`],
];

describe('plain()', () => {
  it.each(UNSEEN_ONES)('shows %s', (_, character, escape) => {
    expect(plain(`a${character}b${character}`)).toBe(`a${escape}b${escape}`);
  });

  it('leaves letters, signs, blanks and emoji as they are', () => {
    const text = 'Zoë שלום Привет 東京 e\u0301 a\u00a0b \\x1b "{}" 🙂👍🏽🇨🇭 ❤️ 👩‍👩‍👧 🏳️‍🌈 👩🏽‍💻';
    expect(plain(text)).toBe(text);
    expect(plain('a\ufe0f ❤\ufe0f\ufe0f 🙂\u200da')).toBe(
      String.raw`a\ufe0f ❤${'\ufe0f'}\ufe0f 🙂\u200da`,
    );
  });

  it('shows whatever Unicode calls a control, a format, a surrogate, or ignorable', () => {
    const left = EVERY.filter((character) => plain(character) === character);
    const hidden = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
    expect(left.filter((character) => hidden.test(character) && !OPEN.test(character))).toEqual([]);
    expect(left.length).toBeGreaterThan(1_000_000);
  });
});

describe('plainJson()', () => {
  it.each(UNSEEN_ONES)('shows %s, and has the same value', (_, character) => {
    const value = { [character]: `a${character}b` };
    const json = plainJson(value);
    expect(json).toBe(plain(json));
    expect(JSON.parse(json)).toEqual(value);
  });
});

describe('The message of an SseError', () => {
  it('shows what the name of a channel hides', () => {
    const message = `The channel ${JSON.stringify('room:\u202egnp')} is closed.`;
    expect(new SseError('CLOSED', message).message).toBe(
      String.raw`The channel "room:\u202egnp" is closed.`,
    );
  });
});
