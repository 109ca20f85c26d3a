import { describe, expect, it } from '@jest/globals';
import { plain } from '../../lib/channel/plain-text.js';
import { assetOf } from '../../lib/inspector/page-files.js';

const { text } = assetOf('visible.js')!;
const { visible, visibleLines } = (await import(
  `data:text/javascript,${encodeURIComponent(text)}`
)) as Record<'visible' | 'visibleLines', (text: string) => string>;

describe('What the page shows of a text', () => {
  it('is what logs and commands show, for each character', () => {
    const different: string[] = [];
    for (let code = 0; code < 0x11_00_00; code++) {
      const character = String.fromCodePoint(code);
      if (visible(character) !== plain(character)) different.push(code.toString(16));
    }
    expect(different).toEqual([]);
    expect(visible('a\u{e0041}b\u202ec')).toBe(String.raw`a\u{e0041}b\u202ec`);
  });

  it('has the line breaks and tabs of data, and nothing else', () => {
    expect(visibleLines('{\n\t"a": "\u202e\r"\n}')).toBe('{\n\t"a": "\\u202e\\x0d"\n}');
  });
});
