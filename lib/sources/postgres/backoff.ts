/** No pause between two attempts is longer. Milliseconds. */
const LONGEST = 30_000;

/**
 * The pause before the next attempt, in milliseconds: about 0.2, 0.4, 0.8 … 30 seconds.
 * Half of it is random, so that instances do not return to a restarted server in one wave.
 */
export function backoff(attempt: number): number {
  const full = Math.min(LONGEST, 200 * 2 ** Math.min(attempt, 20));
  return full * (0.5 + Math.random() / 2);
}
