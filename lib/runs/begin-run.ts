import { randomBytes } from 'node:crypto';
import { monotonicNow } from '../channel/clock.js';
import type { NewRun, RunRecord } from '../channel/runs.js';
import { SseError } from '../channel/sse-error.js';
import { SseRunActiveError } from './run-errors.js';
import { endLost, reached, type RunServices } from './run-services.js';

/** How often a run that is in the way is ended: others begin runs as well. */
const MOST_ENDS = 8;

/** A run that the store has. */
interface BegunRun {
  readonly record: RunRecord;
  /** When the call was made from which the lease lasts, on the clock of `monotonicNow()`. */
  readonly begunAt: number;
}

/** An id that no other run has. */
export function newRunId(): string {
  return randomBytes(12).toString('base64url');
}

/**
 * Begins a run.
 *
 * @param end ends the channel's active run, where the caller wants that
 * @throws SseRunActiveError, SseError `UNAVAILABLE`, `CLOSED`
 */
export async function beginRun(
  run: NewRun,
  services: RunServices,
  end: ((active: RunRecord) => Promise<unknown>) | undefined,
): Promise<BegunRun> {
  const { store } = services;
  for (let ends = 0; ; ends++) {
    const { answer: active, calledAt } = await timed(() => store.begin(run), services);
    if (active.id === run.id) {
      return renewed({ record: active, begunAt: calledAt }, run, services);
    }
    if (ends >= MOST_ENDS) {
      throw new SseRunActiveError(active, ends);
    }
    if (active.leaseLeft <= 0 && (await endLost(active, services))) {
      continue;
    }
    if (!end) {
      throw new SseRunActiveError(active);
    }
    await end(active);
  }
}

/**
 * Renews the lease of a run whose beginning was answered late, or was the work of a call that seemed to
 * fail: others may be about to end the run.
 */
async function renewed(begun: BegunRun, run: NewRun, services: RunServices): Promise<BegunRun> {
  const left = begun.begunAt + begun.record.leaseLeft - monotonicNow();
  if (left > run.lease / 2) {
    return begun;
  }
  const { channel, id } = run;
  const renew = () => services.store.append({ channel, id, after: 0, chunks: [] });
  const { answer, calledAt } = await timed(renew, services);
  if (answer !== 'appended') {
    throw new SseError(
      'UNAVAILABLE',
      'The store of runs answered only when the lease of the new run was over. Try again.',
    );
  }
  return { ...begun, begunAt: calledAt };
}

/** Calls the store until it answers, and tells when the call was made that it has answered. */
async function timed<T>(call: () => Promise<T>, { closing }: RunServices) {
  let calledAt = 0;
  const answer = await reached(() => {
    calledAt = monotonicNow();
    return call();
  }, closing);
  return { answer, calledAt };
}
