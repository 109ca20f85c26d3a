/**
 * Once a block has this many characters, the next event starts another. A client that stops
 * reading keeps one block alive, so this is the memory cost of a slow client.
 */
export const BLOCK_SIZE = 32 * 1024;

/** Blocks that a reader writes before the other readers get their turn. */
export const BLOCKS_PER_PULL = 4;

/** Frames as bytes, framed once more as one chunk of HTTP/1.1's chunked encoding. */
export interface Block {
  /** Chunk header, frames and chunk end: ready for a socket. */
  readonly chunk: Buffer;
  /** The frames alone: ready for a response that does its own framing. */
  readonly frames: Buffer;
  /** How many events there are in it. */
  readonly events: number;
}

/** Encodes frames; https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
export function blockOf(frames: string, events: number): Block {
  const size = Buffer.byteLength(frames);
  const header = `${size.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafeSlow(header.length + size + 2);
  chunk.write(header, 0, 'latin1');
  chunk.write(frames, header.length, 'utf8');
  chunk.write('\r\n', header.length + size, 'latin1');
  return { chunk, frames: chunk.subarray(header.length, header.length + size), events };
}

let lastFrames = '';
let lastBlock: Block | undefined;

/**
 * Like `blockOf`, but returns the last block again for the same frames. Use it for frames that
 * other readers are likely to write next.
 */
export function sharedBlockOf(frames: string, events: number): Block {
  if (!lastBlock || frames !== lastFrames) {
    lastBlock = blockOf(frames, events);
    lastFrames = frames;
  }
  return lastBlock;
}
