import { BLOCK_SIZE, BLOCKS_PER_PULL } from './block.js';
import type { Connection, ConnectionReader } from './connection.js';
import type { EntryMerge } from './entry-merge.js';
import { entryFrameWith } from './frame.js';
import type { Overflow } from './overflow.js';
import type { Subscription } from './subscription.js';

/** Brings several channels to one connection, in order of arrival, under composite ids. */
export class MergedReader implements ConnectionReader {
  private readonly merge: EntryMerge;
  /** How many events there are in the frames that were taken last. */
  private events = 0;

  constructor(
    private readonly subscription: Subscription,
    private readonly connection: Connection,
    private readonly overflow: Overflow,
  ) {
    this.merge = subscription.merge();
    subscription.attach(this);
  }

  get channels(): readonly string[] {
    return this.subscription.channels;
  }

  get backlog(): number {
    return this.subscription.backlog;
  }

  pull(): void {
    for (let blocks = 0; !this.connection.isBlocked; blocks++) {
      if (blocks === BLOCKS_PER_PULL) {
        // Lets the other readers have their turn.
        this.subscription.pull();
        return;
      }
      const frames = this.takeFrames();
      if (frames !== '') {
        this.connection.sendShared(frames, this.events);
      }
      if (this.merge.hasEnded) {
        this.connection.end();
      } else if (frames === '') {
        return;
      }
    }
  }

  close(): void {
    this.subscription.close();
  }

  private takeFrames(): string {
    let frames = '';
    this.events = 0;
    while (frames.length < BLOCK_SIZE && !this.merge.hasEnded) {
      if (!this.merge.next()) {
        break;
      }
      if (this.merge.isOverflow && this.overflow === 'disconnect') {
        this.connection.destroy();
        return '';
      }
      frames += entryFrameWith(this.subscription.id, this.merge.entry);
      this.events++;
    }
    return frames;
  }
}
