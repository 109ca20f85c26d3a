import { describe, expect, it } from '@jest/globals';
import { SmallMap } from '../../lib/channel/small-map.js';

describe('SmallMap', () => {
  it('holds what a Map holds, whatever comes and goes, keys that are undefined among it', () => {
    const keys = [undefined, 'a', 'b'];
    // Each digit of a number in base 6 is a step: one of the keys is set or deleted.
    for (let steps = 0; steps < 6 ** 5; steps++) {
      const small = new SmallMap<string | undefined, number>();
      const model = new Map<string | undefined, number>();
      for (let left = steps, step = 0; step < 5; step++, left = Math.floor(left / 6)) {
        const key = keys[left % 3];
        if (left % 6 < 3) {
          small.set(key, step);
          model.set(key, step);
        } else {
          small.delete(key);
          model.delete(key);
        }
        const visited: number[] = [];
        small.forEach((value) => visited.push(value));
        const held = [small.size, [...small.keys()], visited, keys.map((one) => small.get(one))];
        const expected = [
          model.size,
          [...model.keys()],
          [...model.values()],
          keys.map((one) => model.get(one)),
        ];
        if (JSON.stringify(held) !== JSON.stringify(expected)) {
          expect({ steps, step, held }).toEqual({ steps, step, held: expected });
        }
      }
    }
  });
});
