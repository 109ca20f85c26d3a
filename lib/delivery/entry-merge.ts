import type { Channel } from '../channel/channel.js';
import type { Cursor } from '../channel/cursor.js';
import type { LogEntry } from '../channel/log-entry.js';

/** Reads several cursors as one sequence: in order of arrival, each channel in its own order. */
export class EntryMerge {
  /** The cursors whose run has not ended. */
  protected open: readonly Cursor[];

  constructor(cursors: readonly Cursor[]) {
    this.open = cursors.filter((cursor) => !cursor.hasEnded);
  }

  get hasEnded(): boolean {
    return this.open.length === 0;
  }

  /** The channel of the event that `next` has found. */
  channel!: Channel;
  /** The event that `next` has found. */
  entry!: LogEntry;
  /** Whether it is a reset because the client reads too slowly. */
  isOverflow = false;

  /**
   * Finds the event that the client receives next: a reset before all else. False when there is
   * none for now. The event is kept here, as this runs for every event of every client.
   */
  next(): boolean {
    let first: Cursor | undefined;
    const { open } = this;
    this.isOverflow = false;
    for (let index = 0; index < open.length; index++) {
      const cursor = open[index]!;
      const state = cursor.next();
      if (state === 'ended') {
        this.leave(cursor);
      } else if (state === 'reset') {
        first = cursor;
        this.isOverflow = cursor.resetReason === 'slow-consumer';
        break;
      } else if (
        (state === 'log' || state === 'page') &&
        (!first || cursor.peek().arrival < first.peek().arrival)
      ) {
        first = cursor;
      }
    }
    if (!first) {
      return false;
    }
    this.channel = first.channel;
    this.entry = first.take();
    if (this.entry.end) {
      this.leave(first);
    }
    return true;
  }

  private leave(left: Cursor): void {
    this.open = this.open.filter((cursor) => cursor !== left);
  }
}
