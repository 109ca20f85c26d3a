import type { Observable } from 'rxjs';
import type { SseEvent } from '../channel/sse-event.js';

/**
 * How a run has ended.
 *
 * - `completed`: its source has ended
 * - `stopped`: by `stop()`, or by another run with `replace`
 * - `error`: its source failed
 * - `lost`: it could not be stored for longer than its lease
 * - `limit`: it exceeded `duration` or `bytes`
 * - `shutdown`: the application was shut down
 */
export type RunEndReason = 'completed' | 'stopped' | 'error' | 'lost' | 'limit' | 'shutdown';

const REASONS: Readonly<Record<RunEndReason, true>> = {
  completed: true,
  stopped: true,
  error: true,
  lost: true,
  limit: true,
  shutdown: true,
};

/** All reasons. */
export const RUN_END_REASONS = Object.keys(REASONS) as RunEndReason[];

/** The end of a run. */
export interface SseRunEnd {
  readonly reason: RunEndReason;
  /** How many chunks the run has, those that tell of its end among them, as far as this instance stored them. */
  readonly chunks: number;
  /** What the source has thrown, if that was the reason. */
  readonly error?: unknown;
}

/** A run that this instance has begun. */
export interface SseRun {
  readonly id: string;
  readonly channel: string;
  /**
   * The run's events, from the first on, for each subscriber anew. Return it from an `@SseChannel()` handler,
   * and the client of the request follows the run.
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly events$: Observable<SseEvent<any>>;
  /** Aborts when the run is over before its source has ended. */
  readonly signal: AbortSignal;
  /** Resolves when the run has ended; never rejects. */
  readonly done: Promise<SseRunEnd>;
}

/** The `data` of `sse:error`: a run has ended in the middle. */
export interface SseRunError {
  readonly reason: 'error' | 'lost' | 'limit' | 'shutdown';
  readonly message: string;
}

/** The `data` of `sse:stopped`: somebody has stopped a run. */
export interface SseRunStopped {
  /** What `stop()` was given; `replaced` when another run has taken its place. */
  readonly reason?: string;
}
