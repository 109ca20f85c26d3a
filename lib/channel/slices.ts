import { setImmediate } from 'node:timers/promises';
import { monotonicNow } from './clock.js';

/** How long a slice may hold the event loop, in milliseconds. */
export const SLICE_MS = 10;
/** Members visited between two readings of the clock. */
const VISITS_PER_LOOK = 32;

/**
 * Visits every member, and lets the event loop go on after each slice of time.
 * @param slice how long a slice may be, in milliseconds
 */
export async function inSlices<T>(
  members: Iterable<T>,
  visit: (member: T) => void,
  slice = SLICE_MS,
): Promise<void> {
  let until = monotonicNow() + slice;
  let visits = 0;
  for (const member of members) {
    visit(member);
    if (++visits % VISITS_PER_LOOK === 0 && monotonicNow() > until) {
      await setImmediate();
      until = monotonicNow() + slice;
    }
  }
}
