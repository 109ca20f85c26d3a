import type { Cursor } from '../channel/cursor.js';
import type { LogEntry } from '../channel/log-entry.js';
import { EntryMerge } from './entry-merge.js';

/** A set of channels that changes. */
export interface ChangingCursors {
  /** Those of the set that the client knows. */
  readonly cursors: readonly Cursor[];
  /** Whether the client is to be told something. */
  readonly hasNews: boolean;
  /** Whether channels may still come. */
  readonly mayGrow: boolean;
  /** Lets cursors go that have brought their last event. Returns whether the client can be told. */
  settle(): boolean;
  /** The event that tells the client. */
  tell(): LogEntry;
}

/** Reads the channels of a set that changes, and tells the client of each change between their events. */
export class ChangingMerge extends EntryMerge {
  constructor(private readonly subscription: ChangingCursors) {
    super(subscription.cursors);
  }

  /** Every run of the set has ended, and the set changes no more. An empty set stays. */
  override get hasEnded(): boolean {
    const { subscription } = this;
    return (
      super.hasEnded &&
      !subscription.mayGrow &&
      !subscription.hasNews &&
      subscription.cursors.length > 0
    );
  }

  override next(): boolean {
    const { subscription } = this;
    if (subscription.hasNews) {
      const isSettled = subscription.settle();
      const before = new Set(subscription.cursors);
      this.open = this.open.filter((cursor) => before.has(cursor));
      if (isSettled) {
        this.entry = subscription.tell();
        this.isOverflow = false;
        const added = subscription.cursors.filter((cursor) => !before.has(cursor));
        this.open = [...this.open, ...added];
        return true;
      }
    }
    return super.next();
  }
}
