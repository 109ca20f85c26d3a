import { setImmediate } from 'node:timers/promises';
import { monotonicNow } from './clock.js';

/** How long a slice may hold the event loop, in milliseconds. */
export const SLICE_MS = 10;
/** How many members are visited between two looks at the clock. */
const VISITS_PER_LOOK = 32;

/** Visits every member, however many there are, without holding the event loop for long. */
export async function inSlices<T>(members: Iterable<T>, visit: (member: T) => void): Promise<void> {
  let until = monotonicNow() + SLICE_MS;
  let visits = 0;
  for (const member of members) {
    visit(member);
    if (++visits % VISITS_PER_LOOK === 0 && monotonicNow() > until) {
      await setImmediate();
      until = monotonicNow() + SLICE_MS;
    }
  }
}
