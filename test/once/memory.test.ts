import { afterEach, describe, expect, it } from '@jest/globals';
import { SentKeys } from '../../lib/sources/memory/sent-keys.js';
import { until } from '../support/until.js';

const countOf = (keys: SentKeys): number =>
  (keys as unknown as { readonly sent: ReadonlyMap<string, unknown> }).sent.size;

describe('The keys that a process remembers', () => {
  let keys = new SentKeys();
  afterEach(() => keys.close());

  it('go when their window is over, also when no other is sent', async () => {
    keys = new SentKeys();
    for (let nth = 0; nth < 300_000; nth++) {
      keys.note('a', { key: `${nth}`, window: 200 }, `${nth}`);
    }
    expect(keys.idOf('a', '299999')).toBe('299999');
    await until(() => countOf(keys) === 0);
    keys.note('a', { key: 'k', window: 200 }, '1');
    expect(keys.idOf('a', 'k')).toBe('1');
    await until(() => countOf(keys) === 0);
  });

  it('are so many at most', () => {
    keys = new SentKeys(1_000);
    const window = 600_000;
    for (let nth = 0; nth < 1_000; nth++) {
      keys.makeRoom();
      keys.note('a', { key: `${nth}`, window }, '');
    }
    expect(() => keys.makeRoom()).toThrow(expect.objectContaining({ code: 'LIMIT_REACHED' }));
  });
});
