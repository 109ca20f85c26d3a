import type { EventLog } from '../channel/event-log.js';
import { entryFrame } from './frame.js';

/**
 * The most a block holds before the next event starts another. A client that stops
 * reading keeps one block alive, so this is what a slow client costs.
 */
export const BLOCK_SIZE = 32 * 1024;

/** Frames as bytes, framed once more as one chunk of HTTP/1.1's chunked encoding. */
export interface Block {
  /** Chunk header, frames and chunk end: ready for a socket. */
  readonly chunk: Buffer;
  /** The frames alone: ready for a response that does its own framing. */
  readonly frames: Buffer;
}

/** A block that many readers share. */
export interface LogBlock extends Block {
  /** The number and position of the last event in it. */
  readonly to: number;
  readonly position: string;
  /** True when the last event in it ends the run. */
  readonly end: boolean;
  /** True when it can no longer grow. */
  readonly isFull: boolean;
}

/** Encodes frames; https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
export function blockOf(frames: string): Block {
  const size = Buffer.byteLength(frames);
  const header = `${size.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafeSlow(header.length + size + 2);
  chunk.write(header, 0, 'latin1');
  chunk.write(frames, header.length, 'utf8');
  chunk.write('\r\n', header.length + size, 'latin1');
  return { chunk, frames: chunk.subarray(header.length, header.length + size) };
}

let lastFrames = '';
let lastBlock: Block | undefined;

/**
 * Like `blockOf`, for frames that the readers before and after are likely to write as
 * well: the last block is used again for the same frames.
 */
export function sharedBlockOf(frames: string): Block {
  if (!lastBlock || frames !== lastFrames) {
    lastBlock = blockOf(frames);
    lastFrames = frames;
  }
  return lastBlock;
}

/** How many blocks of one log are kept: readers of one flush stand at few places. */
const KEPT_BLOCKS = 8;

/** The blocks of one log, each built once for all readers at the same cursor. */
export class LogBlocks {
  private readonly blocks = new Map<number, LogBlock>();

  constructor(private readonly log: EventLog) {}

  /** The block after an event, which must be readable and not the newest. */
  after(seq: number): LogBlock {
    const known = this.blocks.get(seq);
    if (known && (known.isFull || known.to === this.log.head)) {
      return known;
    }
    const block = this.build(seq);
    if (this.blocks.size >= KEPT_BLOCKS && !known) {
      this.blocks.delete(this.blocks.keys().next().value!);
    }
    this.blocks.set(seq, block);
    return block;
  }

  /** Forgets the blocks once no reader is about to ask for them. */
  clear(): void {
    this.blocks.clear();
  }

  private build(seq: number): LogBlock {
    const { log } = this;
    let frames = '';
    let to = seq;
    let entry;
    do {
      entry = log.at(++to);
      frames += entryFrame(entry);
    } while (!entry.end && to < log.head && frames.length < BLOCK_SIZE);
    return {
      ...blockOf(frames),
      to,
      position: entry.position,
      end: entry.end,
      isFull: entry.end || frames.length >= BLOCK_SIZE,
    };
  }
}
