import type { CrcShift } from './crc-shift.js';

/**
 * Once a block has this many characters, the next event starts another. A client that stops
 * reading keeps one block alive, so this is the memory cost of a slow client.
 */
export const BLOCK_SIZE = 32 * 1024;

/** Blocks that a reader writes before the other readers get their turn. */
export const BLOCKS_PER_PULL = 4;

/** Bytes framed as one chunk of HTTP/1.1's chunked encoding. */
interface Chunk {
  /** Chunk header, frames and chunk end: ready for a socket. */
  readonly chunk: Buffer;
  /** The frames alone: ready for a response that does its own framing. */
  readonly frames: Buffer;
}

/** A block's frames as blocks of DEFLATE that refer to nothing before them: they fit into any stream. */
export interface Deflated extends Chunk {
  /** The CRC-32 of what they hold, its length in bytes, and what moves a CRC-32 behind that length. */
  readonly crc: number;
  readonly size: number;
  readonly shift: CrcShift;
}

/** Frames as bytes, framed once more as one chunk of HTTP/1.1's chunked encoding. */
export interface Block extends Chunk {
  /** How many events there are in it. */
  readonly events: number;
  /** Whether other clients are likely to receive it as well. */
  readonly isShared: boolean;
  /** The same for gzip streams, once one of them has asked for it. */
  deflated: Deflated | undefined;
}

/** Encodes frames; https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
export function blockOf(frames: string, events: number, isShared = false): Block {
  const size = Buffer.byteLength(frames);
  const header = `${size.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafeSlow(header.length + size + 2);
  chunk.write(header, 0, 'latin1');
  chunk.write(frames, header.length, 'utf8');
  chunk.write('\r\n', header.length + size, 'latin1');
  return {
    chunk,
    frames: chunk.subarray(header.length, header.length + size),
    events,
    isShared,
    deflated: undefined,
  };
}

/** Frames bytes that are ready. */
export function chunkOf(bytes: Buffer): Chunk {
  const header = `${bytes.length.toString(16)}\r\n`;
  const chunk = Buffer.concat([Buffer.from(header), bytes, Buffer.from('\r\n')]);
  return { chunk, frames: chunk.subarray(header.length, header.length + bytes.length) };
}

let lastFrames = '';
let lastBlock: Block | undefined;

/**
 * Like `blockOf`, but returns the last block again for the same frames. Use it for frames that
 * other readers are likely to write next.
 */
export function sharedBlockOf(frames: string, events: number): Block {
  if (!lastBlock || frames !== lastFrames) {
    lastBlock = blockOf(frames, events, true);
    lastFrames = frames;
  }
  return lastBlock;
}
