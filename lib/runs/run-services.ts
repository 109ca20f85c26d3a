import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../channel/backoff.js';
import { monotonicNow } from '../channel/clock.js';
import type { Guard } from '../channel/guard.js';
import type { Outage } from '../channel/outage.js';
import type { OwnRunStore, RunChunk, RunName } from '../channel/runs.js';
import type { SseLogger } from '../channel/source.js';
import { shuttingDown } from '../channel/shutting-down.js';
import { SseError } from '../channel/sse-error.js';
import type { RunFormats } from './formats/formats.js';

/** What all runs of an application share. */
export interface RunServices {
  readonly store: OwnRunStore;
  readonly formats: RunFormats;
  readonly guard: Guard;
  /** Takes a few lines a minute, as one fault may meet all runs. */
  readonly log: SseLogger;
  /** The time in which the store cannot be reached. */
  readonly outage: Outage;
  /** Aborts when the application shuts down. */
  readonly closing: AbortSignal;
}

/** A run, and the format that its chunks have. */
export interface FormattedRun extends RunName {
  readonly format: string;
}

/** The pauses before a call of the store is repeated, in milliseconds. */
export const STORE_RETRY = { first: 100, most: 2_000 };

/** How long a call of the store is repeated while the store cannot be reached, in milliseconds. */
const REACH_MS = 3_000;

/**
 * Calls the store, and waits for it for a moment: an application that starts may be there first.
 * @throws SseError `UNAVAILABLE`, and `CLOSED` once the application shuts down
 */
export async function reached<T>(call: () => Promise<T>, closing: AbortSignal): Promise<T> {
  const until = monotonicNow() + REACH_MS;
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const isOutage = error instanceof SseError && error.code === 'UNAVAILABLE';
      if (!isOutage || monotonicNow() >= until) {
        throw error;
      }
    }
    await sleep(backoff(attempt, STORE_RETRY), undefined, { signal: closing }).catch(
      () => undefined,
    );
    if (closing.aborted) {
      throw shuttingDown();
    }
  }
}

/** What followers of a run hear that is lost. */
const LOST = {
  reason: 'lost',
  message: 'The process that generated this has stopped.',
} as const;

/** The last chunks of a run that is lost. */
export function lostChunks({ format }: FormattedRun, { formats }: RunServices) {
  return formats.of(format).failed(LOST);
}

/** Has the store end a run with these chunks, as `RunStore.end()` does. */
export function endRun(
  { channel, id }: RunName,
  chunks: readonly RunChunk[],
  isLost: boolean,
  { store }: RunServices,
): Promise<boolean> {
  const ends = chunks.map((chunk, nth) => ({ ...chunk, ending: nth + 1 }));
  return store.end({ channel, id }, ends, isLost);
}

/**
 * Ends a run whose instance has not appended for longer than its lease.
 * @returns whether the run has ended
 */
export async function endLost(run: FormattedRun, services: RunServices): Promise<boolean> {
  const hasEnded = await endRun(run, lostChunks(run, services), true, services);
  if (hasEnded) {
    tellLost(run, services);
  }
  return hasEnded;
}

/** Tells the operator of a lost run. */
export function tellLost({ channel, id }: RunName, { log }: RunServices): void {
  log.warn(
    `The run ${id} of the channel ${JSON.stringify(channel)} is lost: its instance could not store anything ` +
      'for longer than its lease, or the store has lost it. Its readers are told.',
  );
}
