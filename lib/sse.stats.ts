import type { Delivery } from './delivery/delivery.js';
import type { Runs } from './runs/runs.js';
import type { SseSources } from './setup/sse-sources.js';
import type { EventTableStats } from './sources/event-table/event-table.js';

/** Counts of open and refused things; see `SseService.stats()`. */
export interface SseStats {
  /** Open connections. */
  readonly connections: number;
  /** Requests for which an interceptor, a resolver or a handler is at work; the last two count against the limits. */
  readonly opening: number;
  /** Open channels, those that linger without readers among them. */
  readonly channels: number;
  /** Readers of all channels: connections, and subscribed Observables. */
  readonly readers: number;
  /** Events retained in memory, and about how many bytes they take. */
  readonly retained: { readonly events: number; readonly bytes: number };
  /** Cache keys that are polled. */
  readonly polledKeys: number;
  /** Active runs that this instance has begun. */
  readonly runs: number;
  /** The state of the Postgres event table; unset without one. */
  readonly eventTable: EventTableStats | undefined;
  /** Clients not let in since the start, by reason. */
  readonly refused: {
    readonly closing: number;
    readonly capacity: number;
    readonly 'client-limit': number;
    readonly 'channel-limit': number;
  };
  /** Connections destroyed since the start because their client did not read. */
  readonly stalled: number;
}

export function statsOf(delivery: Delivery, sources: SseSources, runs: Runs): SseStats {
  const { channels, connections } = delivery;
  let readers = 0;
  let events = 0;
  let bytes = 0;
  for (const channel of channels.channels) {
    readers += channel.readers.size;
    events += channel.log.size;
    bytes += channel.log.bytes;
  }
  const { stalled, ...refused } = connections.counts;
  return {
    connections: connections.size,
    opening: connections.opening,
    channels: channels.size,
    readers,
    retained: { events, bytes },
    polledKeys: sources.cache.polledKeys,
    runs: runs.size,
    refused,
    stalled,
    eventTable: sources.eventTableStats,
  };
}
