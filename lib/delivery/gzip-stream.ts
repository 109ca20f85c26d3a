import { crc32 } from 'node:zlib';
import type { Block, Deflated } from './block.js';
import { joinedCrc } from './crc-shift.js';
import { deflatedOf, stored } from './deflated.js';

/** No name, no time, unknown system: https://www.rfc-editor.org/rfc/rfc1952#section-2.3 */
const HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);

/** A last block without content, and the space for CRC-32 and length. */
const TAIL = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/**
 * The gzip stream of one client. It keeps no state of a compressor: blocks come compressed once for all
 * clients, and what is for one client goes in as it is. So a stream costs two numbers.
 */
export class GzipStream {
  // Both modulo 2^32, with a sign: such integers take no memory of their own.
  private crc = 0;
  private size = 0;

  /** The beginning of the stream, with its first frames. */
  begin(frames: string): Buffer {
    return Buffer.concat([HEAD, this.store(frames)]);
  }

  /** A block of frames. */
  add(block: Block): Deflated {
    const deflated = deflatedOf(block);
    this.crc = joinedCrc(this.crc, deflated.crc, deflated.shift);
    this.size = (this.size + deflated.size) | 0;
    return deflated;
  }

  /** The end of the stream, behind its last frames. */
  end(frames: string): Buffer {
    const last = this.store(frames);
    const tail = Buffer.from(TAIL);
    tail.writeInt32LE(this.crc, 2);
    tail.writeInt32LE(this.size, 6);
    return Buffer.concat([last, tail]);
  }

  private store(frames: string): Buffer {
    const bytes = Buffer.from(frames);
    this.crc = crc32(bytes, this.crc >>> 0) | 0;
    this.size = (this.size + bytes.length) | 0;
    return stored(bytes);
  }
}
