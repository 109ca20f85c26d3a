import type { SseError } from '../../channel/sse-error.js';
import type { CallKind } from './call-kind.js';
import type { RedisStreams } from './redis-streams.js';
import { ownIdsOf } from './own-ids.js';
import { lengthsOf, type EventText } from './stream-entry.js';
import { laterStreamId } from './stream-id.js';
import type { Batch, StreamLane } from './stream-lane.js';
import { APPEND } from './lua/lua.generated.js';

/** Calls that append events to streams: a lane is a stream, and an event's id is its entry's. */
export class AppendKind implements CallKind {
  readonly script = APPEND;
  readonly isPerLane = false;

  constructor(private readonly streams: RedisStreams) {}

  args({ key }: StreamLane): readonly number[] {
    // Where a marker is one stream's, it tells whether the server still has what it had answered.
    const { connection, limits } = this.streams;
    const last = connection.isCluster ? this.streams.lastPublished(key) : undefined;
    return [...limits, last?.number ?? 0, Math.ceil(last?.ago ?? 0)];
  }

  batchOf(events: readonly EventText[]): Batch {
    let text = '';
    for (const { meta, data } of events) {
      text += meta + data;
    }
    return [events.length, lengthsOf(events), text, ownIdsOf(events)];
  }

  taken(
    lane: StreamLane,
    answer: string,
    number: number,
    error?: (event: string) => SseError,
  ): void {
    const [first, announcement] = answer.split(' ') as [string, string?];
    if (announcement !== undefined) {
      this.streams.reading.noteLoss(lane.key, announcement);
    }
    const idOf = (index: number) => laterStreamId(first, index)!;
    const last = idOf(lane.batchSize - 1);
    lane.settle((index) => (error ? error(idOf(index)) : idOf(index)));
    this.streams.notePublished(lane.key, last, number);
  }
}
