/** The wait before the second attempt, until a server says another. */
const RETRY_MS = 1_000;
const MAX_WAIT_MS = 30_000;
/** From what the wait doubles, at least: a server may say 0. */
const MIN_RETRY_MS = 50;
/** How long a connection lives that has not failed, if it brings nothing: milliseconds. */
const STEADY_MS = 1_000;
/** What `Retry-After` may say at most. */
const MAX_AFTER_MS = 3_600_000;

/** How long a client waits before it returns: longer after each connection that came to nothing. */
export class ReturnTimes {
  private retry = RETRY_MS;
  /** The attempts since the last connection that brought something, or lived for a while. */
  private attempts = 0;
  private openedAt = 0;

  /** A connection is open. @param retry when to return after it, as the server says */
  opened(retry = this.retry): void {
    this.openedAt = performance.now();
    this.retry = retry;
  }

  /** The open connection has ended. */
  ended(): void {
    if (performance.now() - this.openedAt > STEADY_MS) this.reset();
  }

  /** The series of attempts is over. */
  reset(): void {
    this.attempts = 0;
  }

  /**
   * How many milliseconds to wait now.
   *
   * @param told when to return, as the server has said last. A server that ends spreads its clients by it
   * @param after what its `Retry-After` says; it may be no number
   */
  next(told = this.retry, after: number | undefined): number {
    const { retry } = this;
    const grown = Math.max(retry, MIN_RETRY_MS) * 2 ** this.attempts;
    const full = this.attempts++ ? Math.min(grown, Math.max(retry, MAX_WAIT_MS)) : told;
    return full * (0.5 + Math.random() / 2) + Math.min(Math.max(after || 0, 0), MAX_AFTER_MS);
  }
}
