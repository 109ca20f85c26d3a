import type { Cursor } from '../channel/cursor.js';
import type { LogEntry } from '../channel/log-entry.js';
import type { ResetReason } from '../channel/source.js';

/** What a client is to see next: an event of a channel, or that events may be missing. */
export type Merged =
  | { readonly cursor: Cursor; readonly entry: LogEntry; readonly reset?: undefined }
  | { readonly cursor: Cursor; readonly entry?: undefined; readonly reset: ResetReason };

/** Reads several cursors as one sequence: in order of arrival, each channel in its own order. */
export class EntryMerge {
  /** The cursors whose run has not ended. */
  private open: readonly Cursor[];

  constructor(cursors: readonly Cursor[]) {
    this.open = cursors;
  }

  /** True once every channel's run has ended. */
  get hasEnded(): boolean {
    return this.open.length === 0;
  }

  /** Takes the next event; `undefined` when there is none for now. */
  next(): Merged | undefined {
    let first: Cursor | undefined;
    for (const cursor of this.open) {
      const state = cursor.next();
      if (state === 'reset') {
        const reset = cursor.resetReason!;
        cursor.skipToHead();
        return { cursor, reset };
      }
      if (
        (state === 'log' || state === 'page') &&
        (!first || cursor.peek().arrival < first.peek().arrival)
      ) {
        first = cursor;
      }
    }
    if (!first) {
      return undefined;
    }
    const entry = first.peek();
    first.shift();
    if (entry.end) {
      this.open = this.open.filter((cursor) => cursor !== first);
    }
    return { cursor: first, entry };
  }
}
