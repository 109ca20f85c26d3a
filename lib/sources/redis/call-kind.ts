import type { SseError } from '../../channel/sse-error.js';
import type { RedisScript } from './redis-batch.js';
import type { EventText } from './stream-entry.js';
import type { Batch, StreamLane } from './stream-lane.js';

/**
 * What a publisher's calls do: what they say to Redis, and what the answers mean. All else, such
 * as order, waiting and sending again, is the same whatever the calls do.
 */
export interface CallKind {
  /**
   * The script of the calls. Its keys are the marker's, then those of each lane. Its arguments are
   * the call's number, PUBLISH or SPUBLISH, `args`, then the batch of each lane.
   */
  readonly script: RedisScript;
  /** Whether a call takes one lane, whose marker is its own. In a Cluster it is so for every kind. */
  readonly isPerLane: boolean;
  /** The arguments that a call has once; it begins with this lane. */
  args(first: StreamLane): readonly (string | number)[];
  /** The arguments that stand for a lane's events. */
  batchOf(events: readonly EventText[]): Batch;
  /**
   * The events of a lane's batch were taken; settles them.
   *
   * @param answer the script's for this lane
   * @param number the call's
   * @param error makes the error of an event that was taken and does not count as accepted all the
   * same; unset when each does
   */
  taken(
    lane: StreamLane,
    answer: string,
    number: number,
    error?: (event: string) => SseError,
  ): void;
}
