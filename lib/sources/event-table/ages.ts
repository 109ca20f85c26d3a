import { monotonicNow } from '../../channel/clock.js';

interface Seen {
  /** The age when it was first seen, in milliseconds. */
  readonly age: number;
  /** When that was, on the monotonic clock. */
  readonly at: number;
}

/**
 * How old rows are. The server's clock is asked once for each, when it is first seen; from then on
 * its age grows on ours. A step of the server's clock would otherwise make all of them too old.
 */
export class Ages {
  private seen = new Map<string, Seen>();
  private next = new Map<string, Seen>();

  /**
   * The age in milliseconds.
   *
   * @param row what distinguishes the row from others
   * @param age its age by the server's clock now
   */
  of(row: string, age: number, now = monotonicNow()): number {
    // A row of the future was written before the server's clock was set back.
    const seen = this.seen.get(row) ?? { age: Math.max(0, age), at: now };
    this.next.set(row, seen);
    return seen.age + (now - seen.at);
  }

  /** A look at all rows is over: those that were not in it are gone. */
  turn(): void {
    this.seen = this.next;
    this.next = new Map();
  }
}
