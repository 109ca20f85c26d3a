import type { ControlLog, ControlSink } from './control.js';
import type { OnceKey, SentOnce } from './once.js';
import type { PresenceOptions, PresenceSink, PresenceStore } from './presence.js';
import type { ResetReason } from './reset-reason.js';
import type { RunStore } from './runs.js';

export type { ResetReason } from './reset-reason.js';

/**
 * Feeds channels from a real system. Implement it to plug in your own.
 *
 * The package calls `open` once per channel, whatever the number of clients, outside of any
 * request's async context. `open` must return at once. The source then connects in the
 * background, retries for ever, and calls `sink.live()` once it listens. `open` may throw an
 * `SseError` only for a channel name that the source can never serve.
 */
export interface ChannelSource extends Lifecycle {
  open(channel: string, sink: ChannelSink): ChannelFeed;
}

/** What a source may do with the channel it feeds. */
export interface ChannelSink {
  /**
   * Tells that the source is listening and will append every event from now on. A source with
   * positions of its own passes the position it starts after.
   *
   * New clients wait up to `readyTimeout` for the first call. Clients whose wait ended before it
   * receive an `sse:reset` with reason `listener-gap`. So do all clients after a further call,
   * unless its position is that of the last event.
   */
  live(position?: string): void;
  /**
   * Appends an event and returns its id. Clients receive it at the end of the event-loop turn.
   * @throws SseError `INVALID_EVENT` for an event that cannot be sent as a Server-Sent Event; for
   * a source with a history, also for one without a position, or whose position is not after the
   * one before; `EVENT_TOO_LARGE` beyond `limits.eventSize`
   */
  append(event: SourceEvent): string;
  /**
   * Tells every reader by an `sse:reset` that events may be missing. A source with positions of
   * its own passes the one at which the stream goes on; the log then forgets the events before.
   *
   * @param isInPlace whether the reset itself stands at the position, in the source's history as
   * well. The log then forgets nothing. Default: true for the reason `skipped-event`, else false
   */
  reset(reason: ResetReason, position?: string, isInPlace?: boolean): void;
}

/** The sink as sources of this package know it, if a channel is behind it. */
export interface OrderedSink extends ChannelSink {
  /**
   * Appends events that have only data and a position, which the source knows to be valid and after
   * the one before: to check them again takes longer than all the rest.
   *
   * @param now the time, on the clock of `monotonicNow()`. Default: read it
   * @param prefix for events without a position: it is this text and the event's number
   * @param after the number of the event before the first
   * @returns how many it has appended; `append()` tells what is wrong with the next
   */
  appendOrdered?(
    events: readonly SourceEvent[],
    now?: number,
    prefix?: string,
    after?: number,
  ): number;
}

/** An event as a source appends it to a channel's log. */
export interface SourceEvent {
  /** The event's text, as it goes on the wire after `data:`. */
  readonly data: string;
  /** The event's name, `event:` on the wire. Without CR, LF or NUL. Unset: a browser's `message`. */
  readonly type?: string | undefined;
  /**
   * The event's position in the source's own numbering. A source with a history sets it on
   * every event. A source without a history sets it on none, and the log numbers the events.
   */
  readonly position?: string | undefined;
  /** The publisher's own id for the event; goes on the wire in place of the position. */
  readonly id?: string | undefined;
  /** The reconnection time for clients in milliseconds, `retry:` on the wire. */
  readonly retry?: number | undefined;
  /** True for the last event of a run: clients receive it and their streams end. */
  readonly end?: boolean | undefined;
  /** True for `sse:join` and `sse:leave` of a broker's presence, whose types nobody else may use. */
  readonly isPresence?: boolean | undefined;
}

/** A source's side of one open channel. */
export interface ChannelFeed {
  /** Present when clients can resume from the source beyond the retained window. */
  readonly history?: ChannelHistory | undefined;
  /**
   * The event that a new client without a Last-Event-ID receives first, if there is one. What was
   * appended before this call does not come behind it.
   */
  current?(): SourceEvent | undefined;
  /** Called when the last reader has left. The channel lingers for readers that return. */
  pause?(): void;
  /** Called when a reader has come and there was none before. */
  resume?(): void;
  /** Called when the channel is dropped. The source must append nothing after this call. */
  close(): void;
}

/** Reads again the events that a source appended before. */
export interface ChannelHistory {
  /**
   * Orders two positions of this channel: below zero when `a` is before `b`. It must never throw,
   * as clients may send any text as their Last-Event-ID.
   */
  compare(a: string, b: string): number;
  /**
   * Reads up to `limit` events after `position`, or from the oldest retained event when it is
   * `undefined`. The position came from this source, or from a client as its Last-Event-ID. The
   * page must include every event appended before the call.
   *
   * A rejection, or no answer within 30 s, is an outage: the package logs it and calls again
   * after growing pauses. A source that rejects with an `SseError` must log the outage itself.
   *
   * @param signal aborted when no reader waits for the page any more
   */
  read(position: string | undefined, limit: number, signal?: AbortSignal): Promise<HistoryPage>;
}

/** One page of a source's history. */
export interface HistoryPage {
  /** Events in order, each after the requested position. */
  readonly events: readonly HistoryEvent[];
  /** True when no events followed these at the time of reading. */
  readonly last: boolean;
  /**
   * Set when the events after the position have a gap. The reader announces the reset and goes
   * on live; `events` is ignored.
   */
  readonly reset?: ResetReason | undefined;
  /**
   * True when the event at the requested position ended its run. The page still contains the
   * events after it, for clients that started after the end.
   */
  readonly ended?: boolean | undefined;
  /**
   * The position of the requested event, when the request named the publisher's own id. Without
   * it a client may receive again events that arrive during the request.
   */
  readonly position?: string | undefined;
}

/** An event of a source's history: like any other, with its position. */
export type HistoryEvent = SourceEvent & {
  readonly position: string;
  /**
   * Set when the source has announced a reset in place at this position, or cannot read the event
   * here. Clients receive a reset; the other fields are ignored.
   */
  readonly reset?: ResetReason | undefined;
};

/**
 * Optional methods of a source beside `open()`. The application starts and stops the broker and
 * the sources that are given as objects. A source that is a provider has Nest's own hooks as well.
 */
export interface Lifecycle {
  /**
   * Connects within 10 s. With `failFast` the promise rejects when the system cannot be reached,
   * and the application does not start. Otherwise the source retries in the background.
   *
   * @param log takes messages for the operator
   */
  start?(failFast: boolean, log: SseLogger): Promise<void>;
  /**
   * Releases every timer, connection and listener that the source created. Shutdown waits for it
   * for the rest of `drainTimeout`, but at least half a second.
   */
  stop?(): Promise<void>;
  /**
   * For how many milliseconds the system behind the source has been away; `undefined` while it works.
   * Health checks call it, and nothing else. It must return at once, from what the source knows.
   */
  awayFor?(): number | undefined;
}

/** A source that also takes events from `SseService.send()`. */
export interface Broker extends ChannelSource {
  /** Resolves with the event's position once the broker has it; rejects when it does not. */
  publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string>;
  /**
   * Optional: publishes an event unless the channel has had one with the same key within the window,
   * from any instance, and then resolves with the first one's position. `idempotencyKey` needs it. Of
   * calls with one key at the same time, one publishes. A key whose event was not published is free.
   */
  publishOnce?(
    channel: string,
    event: OutgoingEvent,
    once: OnceKey,
    options?: PublishOptions,
  ): Promise<SentOnce>;
  /**
   * Optional: the log of commands that every instance reads. `SseService.disconnect()` needs it.
   * With the module's option `revocation` the package calls this once, before `start()`. Until the
   * first `sink.caughtUp()` newcomers wait for `readyTimeout`, and are sent away then.
   */
  openControl?(sink: ControlSink): ControlLog;
  /**
   * Optional: where all instances keep who is present. The option `presence` of endpoints and
   * `SseService.presence()` need it. The package calls this once: before `start()` when an endpoint has
   * the option, else when it is first needed. It must return at once.
   */
  openPresence?(sink: PresenceSink, options: PresenceOptions): PresenceStore;
  /**
   * Optional: where all instances keep their runs. `SseService.run()` needs it. The package calls this
   * once: before `start()` when an endpoint has the option `run`, else when it is first needed. It must
   * return at once.
   */
  openRuns?(): RunStore;
}

/** An event that `send()` passes to a broker: checked, with its data as text. */
export type OutgoingEvent = Omit<SourceEvent, 'position' | 'isPresence'>;

/** Options that only some brokers know. */
export interface PublishOptions {
  /**
   * `broker: 'event-table'` writes the event within this transaction of yours: a `pg` client, or
   * anything else with `query(text, values)`. Default: none.
   */
  readonly transaction?: unknown;
}

/** Takes the package's messages for the operator. Nest's `Logger` is one. */
export interface SseLogger {
  log(message: string): void;
  warn(message: string): void;
  /** @param stack where an error was thrown, when that helps to find it */
  error(message: string, stack?: string): void;
}
