import { resetData } from '../channel/channel.js';
import type { Cursor } from '../channel/cursor.js';
import { RESET_TYPE } from '../channel/sse-event.js';
import { BLOCK_SIZE, type LogBlocks } from './block.js';
import type { Connection, ConnectionReader } from './connection.js';
import { entryFrame, frameOf } from './frame.js';
import type { Overflow } from './overflow.js';
import type { Subscription } from './subscription.js';

/** Brings one channel to one connection, in the blocks it shares with all others. */
export class ChannelReader implements ConnectionReader {
  private readonly cursor: Cursor;

  constructor(
    private readonly subscription: Subscription,
    private readonly connection: Connection,
    private readonly blocks: LogBlocks,
    private readonly overflow: Overflow,
  ) {
    this.cursor = subscription.cursors[0]!;
    subscription.attach(this);
  }

  pull(): void {
    while (!this.connection.isBlocked) {
      switch (this.cursor.next()) {
        case 'log':
          this.sendBlock();
          break;
        case 'page':
          this.sendPage();
          break;
        case 'reset':
          this.sendReset();
          break;
        default:
          return;
      }
    }
  }

  close(): void {
    this.subscription.close();
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
    do {
      const entry = this.cursor.peek();
      this.cursor.shift();
      frames += entryFrame(entry);
      if (entry.end) {
        this.connection.sendShared(frames);
        this.connection.end();
        return;
      }
    } while (frames.length < BLOCK_SIZE && this.cursor.next() === 'page');
    this.connection.sendShared(frames);
  }

  private sendReset(): void {
    const reason = this.cursor.resetReason!;
    const id = this.cursor.skipToHead();
    if (reason === 'slow-consumer' && this.overflow.policy === 'disconnect') {
      this.connection.destroy();
      return;
    }
    this.connection.sendShared(
      frameOf({ id, type: RESET_TYPE, data: resetData(this.cursor.channel.name, reason) }),
    );
  }
}
