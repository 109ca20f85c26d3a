import { monotonicNow } from './clock.js';
import { SLICE_MS } from './slices.js';

/**
 * Spreads work that others begin, such as requests that all come at once, over turns of the event
 * loop: each turn begins as much of it as a slice has time for.
 */
export class Pace {
  private until = 0;
  private isTicking = false;
  private readonly waiting: (() => void)[] = [];

  /** @param detach runs a function outside of any request's async context */
  constructor(private readonly detach: <R>(run: () => R) => R) {}

  /** Returns nothing while this turn has time left, and else a promise of a turn that has. */
  enter(): Promise<void> | undefined {
    if (!this.isTicking) {
      this.until = monotonicNow() + SLICE_MS;
      this.tick();
    }
    return this.waiting.length === 0 && monotonicNow() < this.until
      ? undefined
      : new Promise((resolve) => this.waiting.push(resolve));
  }

  private tick(): void {
    this.isTicking = true;
    this.detach(() => setImmediate(() => this.onTurn()));
  }

  private onTurn(): void {
    this.isTicking = false;
    if (this.waiting.length > 0) {
      this.until = monotonicNow() + SLICE_MS;
      this.tick();
      this.release();
    }
  }

  /** Lets one go on, and the next once that one has done its first part. */
  private release(): void {
    const next = this.waiting.shift();
    next?.();
    if (this.waiting.length > 0 && monotonicNow() < this.until) {
      queueMicrotask(() => this.release());
    }
  }
}
