import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../channel/clock.js';
import { codeOf } from './postgres-error.js';

/**
 * How long a statement of ours waits for a lock, in milliseconds. It fails then, and we run it
 * again. Well below the default of `deadlock_timeout`, 1 s: when we and a DROP or TRUNCATE of the
 * user's wait for each other, we give way before the server makes either of the two fail.
 */
export const LOCK_TIMEOUT_MS = 500;

/** Between two attempts, in milliseconds. */
const PAUSE_MS = 20;

/**
 * Whether the server ended a statement because of a lock: it waited too long, or was chosen to end a
 * deadlock. Nothing that it did is left.
 */
export function isLockRefusal(error: unknown): boolean {
  const code = codeOf(error);
  return code === '55P03' || code === '40P01';
}

/**
 * Runs a statement, and again while others hold a lock that it needs.
 *
 * @param ms after which the refusal is passed on
 * @param signal ends the attempts
 */
export async function againAfterLocks<T>(
  run: () => Promise<T>,
  ms: number,
  signal?: AbortSignal,
): Promise<T> {
  const end = monotonicNow() + ms;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!isLockRefusal(error) || signal?.aborted === true || monotonicNow() >= end) {
        throw error;
      }
    }
    await sleep(PAUSE_MS);
  }
}
