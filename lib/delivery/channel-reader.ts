import type { Cursor } from '../channel/cursor.js';
import { BLOCK_SIZE, BLOCKS_PER_PULL } from './block.js';
import type { Connection, ConnectionReader } from './connection.js';
import { dialectOf } from './dialect.js';
import type { LogBlocks } from './log-blocks.js';
import { LatestByKey } from './latest-by-key.js';
import type { Overflow } from './overflow.js';
import type { Subscription } from './subscription.js';

/** Brings one channel to one connection, in the blocks it shares with all others. */
export class ChannelReader implements ConnectionReader {
  private readonly cursor: Cursor;
  private readonly latest: LatestByKey | undefined;

  constructor(
    private readonly subscription: Subscription,
    private readonly connection: Connection,
    private readonly blocks: LogBlocks,
    private readonly overflow: Overflow,
  ) {
    this.cursor = subscription.cursors[0]!;
    this.latest =
      typeof overflow === 'object'
        ? LatestByKey.acquire(this.cursor.channel, overflow.latest)
        : undefined;
    subscription.attach(this);
  }

  get channels(): readonly string[] {
    return this.subscription.channels;
  }

  pull(): void {
    this.latest?.pull();
    // While a cursor reads history, it lacks events that are older than those of the log.
    if (this.latest && this.connection.hasLagged && this.cursor.isInLog) {
      this.sendLatest(this.latest);
    }
    for (let blocks = 0; !this.connection.isBlocked; blocks++) {
      if (blocks === BLOCKS_PER_PULL) {
        // Lets the other readers have their turn.
        this.subscription.pull();
        return;
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
            return;
          }
          this.connection.sendShared(this.blocks.frameOf(this.cursor.take()), 1);
          if (dialectOf(this.cursor.channel)) {
            this.connection.end();
          }
          break;
        case 'ended':
          this.connection.end();
          break;
        default:
          return;
      }
    }
  }

  close(): void {
    this.latest?.release();
    this.subscription.close();
  }

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
          connection.end();
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
      this.connection.end();
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
        this.connection.end();
        return;
      }
    } while (frames.length < BLOCK_SIZE && this.cursor.next() === 'page');
    this.connection.sendShared(frames, events);
  }
}
