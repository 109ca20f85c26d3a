import { monotonicNow } from './clock.js';
import type { SseLogger } from './source.js';
import { tallyOf, type CountingLog, type Tally } from './tally.js';

const LINES_PER_MINUTE = 10;
const MINUTE_MS = 60_000;

/**
 * A log of at most 10 lines a minute, so that faults of clients or sources cannot fill the disk.
 * The first line of a later minute says how many were left out.
 */
export class LimitedLog implements CountingLog {
  /** What is counted beside the other log. */
  readonly tally: Tally;
  private minuteBegan = -Infinity;
  private written = 0;
  private leftOut = 0;

  constructor(private readonly to: SseLogger) {
    this.tally = tallyOf(to);
  }

  log(message: string): void {
    if (this.admits()) {
      this.to.log(message);
    }
  }

  warn(message: string): void {
    if (this.admits()) {
      this.to.warn(message);
    }
  }

  error(message: string, stack?: string): void {
    if (this.admits()) {
      this.to.error(message, stack);
    }
  }

  private admits(): boolean {
    const now = monotonicNow();
    if (now - this.minuteBegan >= MINUTE_MS) {
      this.minuteBegan = now;
      this.written = 0;
      if (this.leftOut > 0) {
        this.to.warn(`${this.leftOut} lines like the following were left out.`);
        this.leftOut = 0;
      }
    }
    if (this.written === LINES_PER_MINUTE) {
      this.leftOut++;
      return false;
    }
    this.written++;
    return true;
  }
}
