/** The shortest and longest wait of a backoff, in milliseconds. */
export interface BackoffRange {
  /** The wait before the second attempt, before jitter. */
  readonly first: number;
  readonly most: number;
}

/**
 * The wait before the next attempt, in milliseconds. With `first: 200, most: 30_000`, before
 * jitter: 200, 400, 800, 1,600 … 30,000. Half of each wait is random, so that instances do not
 * return to a restarted server in one wave.
 *
 * @param attempt the number of failed attempts since the last success, less one: 0 after the first
 */
export function backoff(attempt: number, { first, most }: BackoffRange): number {
  const full = Math.min(most, first * 2 ** Math.min(attempt, MOST_DOUBLINGS));
  return full * (0.5 + Math.random() / 2);
}

/** Keeps the power finite. */
const MOST_DOUBLINGS = 30;
