import type { Cursor } from '../channel/cursor.js';
import type { LogEntry } from '../channel/log-entry.js';
import type { ResetReason } from '../channel/source.js';

/** Reads several cursors as one sequence: in order of arrival, each channel in its own order. */
export class EntryMerge {
  /** The cursors whose run has not ended. */
  private open: readonly Cursor[];

  constructor(cursors: readonly Cursor[]) {
    this.open = cursors.filter((cursor) => !cursor.hasEnded);
  }

  /** True once every channel's run has ended. */
  get hasEnded(): boolean {
    return this.open.length === 0;
  }

  /** The channel of what `next` has found. */
  cursor!: Cursor;
  /** The event that `next` has found; `undefined` when it was a reset. */
  entry: LogEntry | undefined;
  /** Why events may be missing, when `next` has found a reset. */
  reset: ResetReason | undefined;

  /**
   * Takes what the client is to see next, an event of a channel or that events may be
   * missing. False when there is nothing for now. What is found is kept here, as this runs
   * for every event of every client.
   */
  next(): boolean {
    let first: Cursor | undefined;
    const { open } = this;
    for (let index = 0; index < open.length; index++) {
      const cursor = open[index]!;
      const state = cursor.next();
      if (state === 'ended') {
        this.leave(cursor);
        continue;
      }
      if (state === 'reset') {
        this.cursor = cursor;
        this.entry = undefined;
        this.reset = cursor.resetReason;
        cursor.skipToHead();
        return true;
      }
      if (
        (state === 'log' || state === 'page') &&
        (!first || cursor.peek().arrival < first.peek().arrival)
      ) {
        first = cursor;
      }
    }
    if (!first) {
      return false;
    }
    const entry = first.peek();
    first.shift();
    this.cursor = first;
    this.entry = entry;
    this.reset = undefined;
    if (entry.end) {
      this.leave(first);
    }
    return true;
  }

  private leave(left: Cursor): void {
    this.open = this.open.filter((cursor) => cursor !== left);
  }
}
