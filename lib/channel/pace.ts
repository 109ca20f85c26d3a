import { monotonicNow } from './clock.js';
import { SLICE_MS } from './slices.js';

/**
 * Spreads work such as requests that arrive together over several turns of the event loop. Each
 * turn begins as many pieces as fit in one time slice.
 */
export class Pace {
  private until = 0;
  private isTicking = false;
  private readonly waiting: (() => void)[] = [];

  /** @param detach runs a function outside of any request's async context */
  constructor(private readonly detach: <R>(run: () => R) => R) {}

  /** Returns `undefined` if this turn has time left; else a promise of a turn that has. */
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

  /** Lets one waiter go on, and the next after the synchronous part of the first. */
  private release(): void {
    const next = this.waiting.shift();
    next?.();
    if (this.waiting.length > 0 && monotonicNow() < this.until) {
      queueMicrotask(() => this.release());
    }
  }
}
