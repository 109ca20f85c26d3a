import type { LogEntry } from './log-entry.js';

/** Where a Last-Event-ID points: the entry's number, or the reason why no entry has it. */
export type Located = number | 'trimmed' | 'unknown-position';

/** The retained entries of a log. */
export interface RetainedEntries {
  /** Number of the newest entry. */
  readonly head: number;
  /** Number of the oldest entry. */
  readonly retained: number;
  at(seq: number): LogEntry;
}

/** Finds the retained entries of a log by their ids and by a source's positions. */
export class LogIndex {
  /** Entries whose id is not their position: those with a publisher's own id, and resets. */
  private ids: Map<string, number> | undefined;
  /** Entries by position; built when a source without `compare` needs it first. */
  private byPosition: Map<string, number> | undefined;

  constructor(private readonly entries: RetainedEntries) {}

  note(entry: LogEntry): void {
    if (entry.id !== entry.position) {
      this.ids ??= new Map();
      // An id that was used twice stands for its first event: a client that
      // resumes after it may receive events again, but never misses one.
      if (!this.ids.has(entry.id)) {
        this.ids.set(entry.id, entry.seq);
      }
    }
    this.byPosition?.set(entry.resumeAt, entry.seq);
  }

  forget(entry: LogEntry): void {
    if (this.ids?.get(entry.id) === entry.seq) {
      this.ids.delete(entry.id);
    }
    if (this.byPosition?.get(entry.resumeAt) === entry.seq) {
      this.byPosition.delete(entry.resumeAt);
    }
  }

  /** The number of the entry with an id that is not its position. */
  entryOf(id: string): number | undefined {
    return this.ids?.get(id);
  }

  /** The number of the event at a source's position. `compare` orders positions, if they can be. */
  locate(position: string, compare?: (a: string, b: string) => number): Located {
    if (!compare) {
      return (this.byPosition ??= this.indexPositions()).get(position) ?? 'unknown-position';
    }
    let low = this.entries.retained;
    let high = this.entries.head;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const order = compare(this.entries.at(middle).position, position);
      if (order === 0) {
        return this.eventAmong(middle, position, compare);
      }
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return 'unknown-position';
  }

  /** Finds the event among the entries at one position; the others are resets that follow it. */
  private eventAmong(
    seq: number,
    position: string,
    compare: (a: string, b: string) => number,
  ): Located {
    const { entries } = this;
    let first = seq;
    while (first > entries.retained && compare(entries.at(first - 1).position, position) === 0) {
      first--;
    }
    for (let at = first; at <= entries.head; at++) {
      const entry = entries.at(at);
      if (compare(entry.position, position) !== 0) {
        break;
      }
      if (entry.resumeAt === entry.position) {
        return at;
      }
    }
    return 'unknown-position';
  }

  private indexPositions(): Map<string, number> {
    const { entries } = this;
    const index = new Map<string, number>();
    for (let seq = entries.retained; seq <= entries.head; seq++) {
      index.set(entries.at(seq).resumeAt, seq);
    }
    return index;
  }
}
