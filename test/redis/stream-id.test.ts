import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import {
  compareStreamIds,
  isStreamId,
  laterStreamId,
  streamIdsFrom,
} from '../../lib/sources/redis/stream-id.js';
import { holds } from '../support/property.js';

const LARGEST = 18_446_744_073_709_551_615n;
const NUMBER = fc.oneof(
  fc.bigInt({ min: 0n, max: 30n }),
  fc.bigInt({ min: 0n, max: LARGEST }),
  fc.bigInt({ min: LARGEST - 3n, max: LARGEST }),
);
const ID = fc.tuple(NUMBER, NUMBER);
const idOf = ([time, number]: readonly bigint[]): string => `${time}-${number}`;

const RUNS = { quick: 2_000, soak: 200_000 };

describe('Stream ids', () => {
  it('have the order of their two numbers', async () => {
    await holds(
      fc.property(ID, ID, fc.boolean(), (a, b, isSameTime) => {
        const other = isSameTime ? ([a[0], b[1]] as const) : b;
        const order = a[0] === other[0] ? a[1] - other[1] : a[0] - other[0];
        const sign = order < 0n ? -1 : order > 0n ? 1 : 0;
        expect(Math.sign(compareStreamIds(idOf(a), idOf(other)))).toBe(sign);
      }),
      RUNS,
    );
  });

  it('are told from other texts', async () => {
    const part = fc.oneof(
      NUMBER.map(String),
      fc.bigInt({ min: LARGEST + 1n, max: LARGEST * 20n }).map(String),
      fc.constantFrom('', '0', '00', '01', '1 ', '+1', '１', '1e3', '-1'),
    );
    const isPart = (text: string) => /^(0|[1-9][0-9]*)$/.test(text) && BigInt(text) <= LARGEST;
    await holds(
      fc.property(part, part, (time, number) => {
        expect(isStreamId(`${time}-${number}`)).toBe(isPart(time) && isPart(number));
        expect(isStreamId(`${time}${number.replace('-', '')}`)).toBe(false);
      }),
      RUNS,
    );
  });

  it('follow the first of a batch one by one', async () => {
    await holds(
      fc.property(
        NUMBER,
        fc.bigInt({ min: 0n, max: LARGEST - 50n }),
        fc.nat(50),
        (time, number, count) => {
          const ids = streamIdsFrom(`${time}-${number}`, count)!;
          expect(ids).toEqual(
            Array.from({ length: count }, (_, nth) => `${time}-${number + BigInt(nth)}`),
          );
          ids.forEach((id, nth) => expect(laterStreamId(`${time}-${number}`, nth)).toBe(id));
        },
      ),
      { quick: 500, soak: 50_000 },
    );
  });
});
