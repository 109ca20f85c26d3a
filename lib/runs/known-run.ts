import type { RunChunk } from '../channel/runs.js';
import type { FormattedRun } from './run-services.js';

/** What this instance knows of a run. */
export interface KnownRun {
  readonly run: FormattedRun;
  /** The number of the newest chunk. */
  head: number;
  hasEnded: boolean;
  /** The longest time that the run's lease was seen to last, in milliseconds. */
  lease: number;
  /** The number of the newest chunk that a reader may have, but for those with which the run was ended in the store. */
  had: number;
  /** Set once the store has lost the run. */
  lost?: LostEnd;
}

/** The end that an instance has made for its readers of a run that the store has lost. */
export interface LostEnd {
  /** The number of the chunk that comes before it. */
  readonly after: number;
  readonly chunks: readonly RunChunk[];
}
