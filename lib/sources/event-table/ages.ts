import { monotonicNow } from '../../channel/clock.js';

interface Seen {
  /** The age when it was first seen, in milliseconds. */
  readonly age: number;
  /** When that was, on the monotonic clock. */
  readonly at: number;
}

/**
 * The ages of rows. We take a row's age from the server's clock once, when we first see the row; from
 * then on it grows by our monotonic clock. Otherwise a step of the server's clock could make all rows
 * too old.
 */
export class Ages {
  private seen = new Map<string, Seen>();
  private next = new Map<string, Seen>();

  /**
   * The age in milliseconds.
   *
   * @param row a text that no other row has
   * @param age its age by the server's clock now
   */
  of(row: string, age: number, now = monotonicNow()): number {
    // A row from the future was written before the server's clock was set back.
    const seen = this.seen.get(row) ?? { age: Math.max(0, age), at: now };
    this.next.set(row, seen);
    return seen.age + (now - seen.at);
  }

  /** A look at all rows is over: forgets the rows that it did not show. */
  turn(): void {
    this.seen = this.next;
    this.next = new Map();
  }
}
