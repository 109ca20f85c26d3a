/** The longest wait of a timer, in Node and in browsers: anything longer fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Like `monotonicNow()`, with fractions: for what takes less than a millisecond. */
export function preciseNow(): number {
  return performance.now();
}

/**
 * Milliseconds since the start of the process. Use it for every duration: changes of the system's
 * time do not move this clock. It is a whole number because Redis and Postgres take no fractions.
 */
export function monotonicNow(): number {
  return Math.trunc(performance.now());
}
