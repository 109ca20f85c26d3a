/**
 * Milliseconds on a clock that no step of the system's time moves, counted from the start of
 * the process. Every duration is measured on it.
 */
export function monotonicNow(): number {
  return performance.now();
}
