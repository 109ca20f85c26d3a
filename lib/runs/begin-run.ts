import { randomBytes } from 'node:crypto';
import type { NewRun, RunRecord } from '../channel/runs.js';
import { SseRunActiveError } from './run-errors.js';
import { endLost, reached, type RunServices } from './run-services.js';

/** How often a run that is in the way is ended: others begin runs as well. */
const MOST_ENDS = 8;

/** An id that no other run has; ids sort by time. */
export function newRunId(): string {
  return `${Date.now().toString(36)}${randomBytes(9).toString('base64url')}`;
}

/**
 * Begins a run.
 *
 * @param end ends the channel's active run, and tells whether it has; false where the caller does not want that
 * @throws SseRunActiveError, SseError `UNAVAILABLE`
 */
export async function beginRun(
  run: NewRun,
  services: RunServices,
  end: (active: RunRecord) => Promise<boolean> | false,
): Promise<RunRecord> {
  for (let ends = 0; ; ends++) {
    const active = await reached(() => services.store.begin(run));
    if (active.id === run.id) {
      return active;
    }
    const isEnded =
      ends < MOST_ENDS &&
      (active.leaseLeft <= 0 ? await endLost(active, services) : await end(active));
    if (!isEnded) {
      throw new SseRunActiveError(active);
    }
  }
}
