import type { SseError } from '../../channel/sse-error.js';
import type { Batch, CallKind } from './call-kind.js';
import type { RedisStreams } from './redis-streams.js';
import { ownIdsOf } from './own-ids.js';
import { lengthsOf, type EventText } from './stream-entry.js';
import { laterStreamId } from './stream-id.js';
import type { StreamLane } from './stream-lane.js';
import { APPEND } from './stream-scripts.js';

/** Calls that append events to streams: a lane is a stream, and an event's id is its entry's. */
export class AppendKind implements CallKind {
  readonly script = APPEND;
  readonly isPerLane = false;

  constructor(private readonly streams: RedisStreams) {}

  args(): readonly number[] {
    return this.streams.limits;
  }

  batchOf(events: readonly EventText[]): Batch {
    let text = '';
    for (const { meta, data } of events) {
      text += meta + data;
    }
    return [events.length, lengthsOf(events), text, ownIdsOf(events)];
  }

  taken(lane: StreamLane, first: string, error?: (event: string) => SseError): void {
    const idOf = (index: number) => laterStreamId(first, index)!;
    const last = idOf(lane.batchSize - 1);
    lane.settle((index) => (error ? error(idOf(index)) : idOf(index)));
    this.streams.notePublished(lane.key, last);
  }
}
