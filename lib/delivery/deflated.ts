import { constants, crc32, deflateRawSync } from 'node:zlib';
import { chunkOf, type Block, type Deflated } from './block.js';
import { crcShift } from './crc-shift.js';

/** Below this many bytes there is nothing to save. */
const SMALLEST = 128;

/** What is for one client only is compressed from this size on: smaller, it would cost more than its bytes. */
const SMALLEST_OF_ONE = 4_096;

/** The most bytes of a stored block: https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4 */
const MOST_STORED = 65_535;

/** A full flush: what follows refers to nothing before it. The first level is the cheapest, and saves nearly as much as the others. */
const OPTIONS = { level: 1, finishFlush: constants.Z_FULL_FLUSH };

/** A block as it goes into gzip streams; built once for all of them. */
export function deflatedOf(block: Block): Deflated {
  return (block.deflated ??= build(block));
}

function build({ frames, isShared }: Block): Deflated {
  const isWorthIt = frames.length >= (isShared ? SMALLEST : SMALLEST_OF_ONE);
  return {
    // Where nothing gets smaller, DEFLATE itself stores: that costs a few bytes more.
    ...chunkOf(isWorthIt ? deflateRawSync(frames, OPTIONS) : stored(frames)),
    crc: crc32(frames),
    size: frames.length,
    shift: crcShift(frames.length),
  };
}

/** Bytes as blocks of DEFLATE that hold them as they are. */
export function stored(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += MOST_STORED) {
    const part = bytes.subarray(at, at + MOST_STORED);
    const head = Buffer.alloc(5);
    head.writeUInt16LE(part.length, 1);
    head.writeUInt16LE(part.length ^ 0xffff, 3);
    parts.push(head, part);
  }
  return Buffer.concat(parts);
}
