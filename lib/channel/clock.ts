/**
 * Whole milliseconds on a clock that no step of the system's time moves, counted from the start of
 * the process. Every duration is measured on it. Redis and Postgres take no fractions of one.
 */
export function monotonicNow(): number {
  return Math.trunc(performance.now());
}
