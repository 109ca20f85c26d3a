import type { Cursor } from '../channel/cursor.js';
import { BLOCK_SIZE } from './block.js';
import type { Connection } from './connection.js';
import { dialectOf } from './dialect.js';
import type { LogBlocks } from './log-blocks.js';
import { LatestByKey } from './latest-by-key.js';
import type { Overflow } from './overflow.js';

/** Reads one cursor for a connection, in the blocks that all readers of its channel share. */
export abstract class CursorReader {
  private readonly latest: LatestByKey | undefined;
  /** Whether the client has received the end of the channel's run. */
  private hasEnded = false;

  constructor(
    private readonly cursor: Cursor,
    protected readonly connection: Connection,
    private readonly blocks: LogBlocks,
    private readonly overflow: Overflow,
  ) {
    this.latest =
      typeof overflow === 'object'
        ? LatestByKey.acquire(cursor.channel, overflow.latest)
        : undefined;
  }

  /** Writes what there is, so many blocks at most. Returns whether there may be more. */
  protected read(most: number): boolean {
    if (this.hasEnded) {
      return false;
    }
    this.latest?.pull();
    // While a cursor reads history, it lacks events that are older than those of the log.
    if (this.latest && this.connection.hasLagged && this.cursor.isInLog) {
      this.sendLatest(this.latest);
    }
    for (let blocks = 0; !this.connection.isBlocked && !this.hasEnded; blocks++) {
      if (blocks === most) {
        return true;
      }
      switch (this.cursor.next()) {
        case 'log':
          this.sendBlock();
          break;
        case 'page':
          this.sendPage();
          break;
        case 'reset':
          if (this.overflow === 'disconnect' && this.cursor.resetReason === 'slow-consumer') {
            this.connection.destroy();
            return false;
          }
          this.connection.sendShared(this.blocks.frameOf(this.cursor.take()), 1);
          if (dialectOf(this.cursor.channel)) {
            this.end();
          }
          break;
        case 'ended':
          this.end();
          break;
        default:
          return false;
      }
    }
    return false;
  }

  close(): void {
    this.latest?.release();
  }

  /** Called when the channel brings nothing more. */
  protected abstract finish(): void;

  /** Brings a client that has lagged up to date with the newest event of each key. */
  private sendLatest(latest: LatestByKey): void {
    const { cursor, connection } = this;
    const entries = latest.after(cursor.seq);
    if (!entries) {
      return;
    }
    let frames = '';
    let events = 0;
    for (const entry of entries) {
      frames += this.blocks.frameOf(entry);
      events++;
      cursor.moveTo(entry.seq, entry.resumeAt);
      if (entry.end || frames.length >= BLOCK_SIZE) {
        connection.sendShared(frames, events);
        frames = '';
        events = 0;
        if (entry.end) {
          this.end();
          return;
        }
        if (connection.isBlocked) {
          return;
        }
      }
    }
    if (frames !== '') {
      connection.sendShared(frames, events);
    }
  }

  private sendBlock(): void {
    const block = this.blocks.after(this.cursor.seq);
    this.cursor.moveTo(block.to, block.position);
    this.connection.send(block);
    if (block.end) {
      this.end();
    }
  }

  private sendPage(): void {
    let frames = '';
    let events = 0;
    do {
      const entry = this.cursor.take();
      frames += this.blocks.frameOf(entry);
      events++;
      if (entry.end) {
        this.connection.sendShared(frames, events);
        this.end();
        return;
      }
    } while (frames.length < BLOCK_SIZE && this.cursor.next() === 'page');
    this.connection.sendShared(frames, events);
  }

  private end(): void {
    this.hasEnded = true;
    this.finish();
  }
}
