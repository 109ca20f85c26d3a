import type { SseError } from '../../../channel/sse-error.js';
import type { CallKind } from '../../redis/call-kind.js';
import type { RedisStreams } from '../../redis/redis-streams.js';
import type { EventText } from '../../redis/stream-entry.js';
import type { Batch, StreamLane } from '../../redis/stream-lane.js';
import { StreamPublisher } from '../../redis/stream-publisher.js';
import { SET } from './lua/lua.generated.js';
import { slotTag } from '../waiting-event.js';

/**
 * Sets keys, by calls that are sent until they are answered. A call that is sent again sets
 * nothing, so that it does not overwrite what another program has set meanwhile.
 */
export class KeySets implements CallKind {
  readonly script = SET;
  readonly isPerLane = true;
  private readonly publisher: StreamPublisher;

  constructor(streams: RedisStreams) {
    this.publisher = new StreamPublisher(streams, this);
  }

  /**
   * Resolves once the key is set.
   * @throws SseError `LIMIT_REACHED`, `UNAVAILABLE`, `CLOSED`
   */
  async set(key: string, data: string): Promise<void> {
    await this.publisher.publish(`sse:{${slotTag(key)}}:set:${key}`, { data }, key);
  }

  /** The connection is back. */
  retryNow(): void {
    this.publisher.retryNow();
  }

  stop(): Promise<void> {
    return this.publisher.stop();
  }

  args(): readonly number[] {
    return [];
  }

  /** Of several values that are set in one turn only the last stays. */
  batchOf(events: readonly EventText[]): Batch {
    return [events.at(-1)!.data];
  }

  taken(
    lane: StreamLane,
    _answer: string,
    _number: number,
    error?: (event: string) => SseError,
  ): void {
    const key = JSON.stringify(lane.keys[1]);
    lane.settle(() => error?.(`for the key ${key}`) ?? '');
  }
}
