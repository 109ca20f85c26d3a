import type { StreamReader } from './open-streams.js';

/**
 * Wakes everybody who waits for the next tick, by one timer. It runs only while somebody waits.
 */
export class Ticker {
  private waiting: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    /** In milliseconds. */
    private readonly period: number,
    /** Runs a function outside of any request's async context. */
    private readonly detach: <R>(run: () => R) => R,
  ) {}

  /** Resolves with the next tick, or once the reader has left. */
  next(reader: StreamReader): Promise<void> {
    if (reader.hasLeft) {
      return Promise.resolve();
    }
    this.timer ??= this.detach(() => setTimeout(() => this.tick(), this.period)).unref();
    return new Promise((resolve) => {
      reader.wake = resolve;
      this.waiting.push(resolve);
    });
  }

  private tick(): void {
    this.timer = undefined;
    const { waiting } = this;
    this.waiting = [];
    waiting.forEach((wake) => wake());
  }
}
