import type { Channel } from '../channel/channel.js';
import type { EventLog } from '../channel/event-log.js';
import type { LogEntry } from '../channel/log-entry.js';
import { BLOCK_SIZE, blockOf, type Block } from './block.js';
import { dialectOf, framesIn } from './dialect.js';
import { entryFrame, labelledFrame } from './frame.js';

export interface LogBlock extends Block {
  /** The number of the last event in it, and the position behind that. */
  readonly to: number;
  readonly position: string;
  readonly end: boolean;
  readonly isFull: boolean;
}

/**
 * The most bytes of all kept blocks. 256 full blocks are enough for readers that take a large burst
 * piece by piece, and so stand at many places.
 */
const MOST_KEPT_BYTES = 256 * BLOCK_SIZE;

/** The blocks of all logs, each built once for all readers at the same place. */
export class BlockCache {
  private readonly byChannel = new WeakMap<Channel, ChannelBlocks>();
  private readonly kept = new Set<LogBlocks>();
  private bytes = 0;

  /** The blocks for readers of a channel, whose event ids have labels or have none. */
  of(channel: Channel, isLabelled: boolean): LogBlocks {
    let blocks = this.byChannel.get(channel);
    if (!blocks) {
      this.byChannel.set(channel, (blocks = {}));
    }
    return isLabelled
      ? (blocks.labelled ??= new LogBlocks(channel.log, labelledFrames(channel.label), this.keep))
      : (blocks.plain ??= new LogBlocks(channel.log, plainFrames(channel), this.keep));
  }

  /** Forgets all blocks, once every reader has been served. */
  clear(): void {
    for (const blocks of this.kept) {
      blocks.clear();
    }
    this.kept.clear();
    this.bytes = 0;
  }

  private readonly keep = (blocks: LogBlocks, size: number): void => {
    if (this.bytes + size > MOST_KEPT_BYTES) {
      this.clear();
    }
    this.bytes += size;
    this.kept.add(blocks);
  };
}

/** The blocks of a channel, by how event ids are written. */
interface ChannelBlocks {
  plain?: LogBlocks;
  labelled?: LogBlocks;
}

function plainFrames(channel: Channel): (entry: LogEntry) => string {
  const dialect = dialectOf(channel);
  return dialect ? framesIn(dialect) : entryFrame;
}

function labelledFrames(label: string): (entry: LogEntry) => string {
  return (entry) => labelledFrame(label, entry);
}

export class LogBlocks {
  private readonly blocks = new Map<number, LogBlock>();

  constructor(
    private readonly log: EventLog,
    /** Writes the frame of an event for all readers of these blocks. */
    readonly frameOf: (entry: LogEntry) => string,
    /** Called before a block of this many bytes is kept. */
    private readonly onKeep: (blocks: LogBlocks, size: number) => void,
  ) {}

  /** The block after an event, which must be readable and not the newest. */
  after(seq: number): LogBlock {
    const known = this.blocks.get(seq);
    if (known && (known.isFull || known.to === this.log.head)) {
      return known;
    }
    const block = this.build(seq);
    this.onKeep(this, block.chunk.length);
    this.blocks.set(seq, block);
    return block;
  }

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
      frames += this.frameOf(entry);
    } while (!entry.end && to < log.head && frames.length < BLOCK_SIZE);
    return {
      ...blockOf(frames, to - seq, true),
      to,
      position: entry.resumeAt,
      end: entry.end,
      isFull: entry.end || frames.length >= BLOCK_SIZE,
    };
  }
}
