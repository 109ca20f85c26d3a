import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { crc32, gunzipSync } from 'node:zlib';
import { blockOf } from '../../lib/delivery/block.js';
import { crcShift, joinedCrc } from '../../lib/delivery/crc-shift.js';
import { stored } from '../../lib/delivery/deflated.js';
import { GzipStream } from '../../lib/delivery/gzip-stream.js';
import { holds } from '../support/property.js';

describe('The CRC of two pieces', () => {
  it('is that of both together', async () => {
    const piece = fc.uint8Array({ maxLength: 400 });
    await holds(
      fc.asyncProperty(piece, piece, async (first, second) => {
        const joined = joinedCrc(crc32(first), crc32(second), crcShift(second.length));
        expect(joined >>> 0).toBe(crc32(Buffer.concat([first, second])));
      }),
      { quick: 500, soak: 50_000 },
    );
  });

  it('is right behind a length beyond 32 bits', () => {
    // Moving it by 2^33 bytes is moving it by 2^32 twice.
    const half = crcShift(2 ** 32);
    expect(joinedCrc(0xcafe1234, 0, crcShift(2 ** 33))).toBe(
      joinedCrc(joinedCrc(0xcafe1234, 0, half), 0, half),
    );
  });
});

describe('A gzip stream', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc
      .tuple(fc.string({ minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 9_000 }))
      .map(([part, times]) => part.repeat(times)),
  );

  it('has what was written, whatever the sizes, and whoever shares the blocks', async () => {
    await holds(
      fc.asyncProperty(
        text,
        fc.array(fc.tuple(text, fc.boolean()), { maxLength: 20 }),
        fc.integer({ min: 0, max: 20 }),
        text,
        async (first, frames, joinsAt, last) => {
          const blocks = frames.map(([frame, isShared]) => blockOf(frame, 1, isShared));
          const early = new GzipStream();
          const late = new GzipStream();
          const ofEarly = [early.begin(first)];
          const ofLate = [late.begin(last)];
          blocks.forEach((block, index) => {
            ofEarly.push(early.add(block).frames);
            if (index >= joinsAt) ofLate.push(late.add(block).frames);
          });
          ofEarly.push(early.end(last));
          ofLate.push(late.end(''));
          // It checks CRC-32 and length.
          const wellFormed = (all: string) => Buffer.from(all).toString();
          expect(gunzipSync(Buffer.concat(ofEarly)).toString()).toBe(
            wellFormed(first) +
              frames.map(([frame]) => wellFormed(frame)).join('') +
              wellFormed(last),
          );
          expect(gunzipSync(Buffer.concat(ofLate)).toString()).toBe(
            wellFormed(last) +
              frames
                .slice(joinsAt)
                .map(([frame]) => wellFormed(frame))
                .join(''),
          );
        },
      ),
      { quick: 200, soak: 5_000 },
    );
  });

  it('takes a block as it is where compressing saves nothing', () => {
    const small = blockOf('data: short\n\n', 1, true);
    expect(new GzipStream().add(small).frames.length).toBe(small.frames.length + 5);
    const ofOne = blockOf(`data: ${'much the same '.repeat(200)}\n\n`, 1);
    expect(new GzipStream().add(ofOne).frames.length).toBe(ofOne.frames.length + 5);
  });

  it.each([
    ['many', 128, true],
    ['one client', 4_096, false],
  ])('compresses what is for %s from %d bytes on', (_, size, isShared) => {
    const [exact, less] = [size, size - 1].map((length) =>
      blockOf('x'.repeat(length), 1, isShared),
    );
    expect(new GzipStream().add(exact!).frames.length).toBeLessThan(size / 2);
    expect(new GzipStream().add(less!).frames.length).toBe(size - 1 + 5);
  });

  it('takes five bytes for each 65,535 that it holds as they are', () => {
    const sizes = [0, 1, 65_535, 65_536].map((size) => stored(Buffer.alloc(size)).length);
    expect(sizes).toEqual([0, 1 + 5, 65_535 + 5, 65_536 + 10]);
  });
});
