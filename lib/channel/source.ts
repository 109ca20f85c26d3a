/**
 * Why a client cannot be shown an unbroken sequence of events. It is sent as the
 * `reason` of an `sse:reset` event.
 *
 * - `trimmed`: the events after the client's position are no longer retained
 * - `unknown-position`: the client's `Last-Event-ID` is not a position of this channel
 * - `failover`: the system behind the channel lost or replaced its history
 * - `listener-gap`: the source was not listening for a while
 * - `slow-consumer`: the client read so slowly that its next event is no longer retained
 * - `skipped-event`: an event that another system gave could not be sent, and was left out
 */
export type ResetReason =
  'trimmed' | 'unknown-position' | 'failover' | 'listener-gap' | 'slow-consumer' | 'skipped-event';

/** An event as a source appends it to a channel's log. */
export interface SourceEvent {
  /** The event's text, as it goes on the wire after `data:`. */
  readonly data: string;
  /** The event's name, `event:` on the wire. Without CR, LF or NUL. Unset: a browser's `message`. */
  readonly type?: string | undefined;
  /**
   * The event's position in the source's own numbering. A source with a history
   * sets it on every event, a source without one on none: the log then numbers.
   */
  readonly position?: string | undefined;
  /** The publisher's own id for the event; goes on the wire in place of the position. */
  readonly id?: string | undefined;
  /** The reconnection time in milliseconds that goes along, `retry:` on the wire. */
  readonly retry?: number | undefined;
  /** True for the last event of a run: clients receive it and their streams end. */
  readonly end?: boolean | undefined;
}

/** An event of a source's history: like any other, with its position. */
export type HistoryEvent = SourceEvent & {
  readonly position: string;
  /**
   * Set where clients are told that events may be missing: the source has announced a reset in
   * place at this position, or cannot read what is there. The rest is then not looked at.
   */
  readonly reset?: ResetReason | undefined;
};

/** One page of a source's history. */
export interface HistoryPage {
  /** Events in order, each after the position that was asked for. */
  readonly events: readonly HistoryEvent[];
  /** True when there was nothing more behind these events at the time of reading. */
  readonly last: boolean;
  /**
   * Set when the events after the position cannot be shown without a gap. The
   * reader announces it and goes on live; `events` is then not looked at.
   */
  readonly reset?: ResetReason | undefined;
  /**
   * True when the event at the position that was asked for ended its run. The events after it
   * are given all the same: they are for clients that started after the end.
   */
  readonly ended?: boolean | undefined;
  /**
   * The position of the event that was asked for, when that was by an id of its own. Without it
   * a client may be shown events again that arrive just then.
   */
  readonly position?: string | undefined;
}

/** The ability of a source to read events again that it appended before. */
export interface ChannelHistory {
  /**
   * Orders two positions of this channel: below zero when `a` is before `b`. A client
   * may have sent anything as its Last-Event-ID, so it never throws.
   */
  compare(a: string, b: string): number;
  /**
   * Reads up to `limit` events after `position`, or from the oldest one that is
   * retained when it is `undefined`. The position is what a client sent as its
   * Last-Event-ID, or one that this source gave. It shows whatever was appended before.
   *
   * A rejection, and no answer within 30 s, are an outage: logged, unless the source rejects with
   * an `SseError` and has logged it by itself, and asked again with a growing pause.
   *
   * @param signal is aborted when nobody waits for the page any more
   */
  read(position: string | undefined, limit: number, signal?: AbortSignal): Promise<HistoryPage>;
}

/** What a source may do with the channel it feeds. */
export interface ChannelSink {
  /**
   * The source is listening: everything from here on will be appended. A source
   * with positions of its own passes the position it starts after.
   *
   * Until the first call, new clients wait for it for a moment. Clients that were
   * let in without it receive an `sse:reset` with reason `listener-gap`, and so do all when it
   * is called again with another position than that of the last event.
   */
  live(position?: string): void;
  /**
   * Appends an event and returns its id. It is delivered at the end of the event-loop turn.
   * @throws SseError `INVALID_EVENT` for what cannot be sent as Server-Sent Events, and for an
   * event beside a history without a position, or whose position is not after the one before;
   * `EVENT_TOO_LARGE` beyond `limits.eventSize`
   */
  append(event: SourceEvent): string;
  /**
   * Announces to every reader that events may be missing, as an `sse:reset`. A
   * source with positions of its own passes the one at which the stream goes on. What
   * was retained before is then forgotten.
   *
   * @param isInPlace whether the position is the announcement's own, at which the source's history
   * shows it as well. Nothing is forgotten then. Default: only with the reason `skipped-event`
   */
  reset(reason: ResetReason, position?: string, isInPlace?: boolean): void;
}

/** A source's side of one open channel. */
export interface ChannelFeed {
  /** Present when clients can resume from the source beyond the retained window. */
  readonly history?: ChannelHistory | undefined;
  /** The event that a new client without a Last-Event-ID receives first, if there is one. */
  current?(): SourceEvent | undefined;
  /** The last reader has left; the channel lingers for those who return. */
  pause?(): void;
  /** There is a reader again, or for the first time. */
  resume?(): void;
  /** The channel is dropped. Nothing may be appended after this call. */
  close(): void;
}

/**
 * Feeds channels from a real system. Implement it to plug in your own.
 *
 * `open` is called once per channel, whatever the number of clients, outside of
 * any request's async context, and returns at once; it connects in its own time,
 * retries for ever, and calls `sink.live()` when it is there. It throws an
 * `SseError` only for a channel name it can never serve.
 */
export interface ChannelSource extends Lifecycle {
  open(channel: string, sink: ChannelSink): ChannelFeed;
}

/** An event as `send()` hands it to a broker: checked, and data already text. */
export type OutgoingEvent = Omit<SourceEvent, 'position'>;

/** A source that also takes events from `SseService.send()`. */
export interface Broker extends ChannelSource {
  /** Resolves with the event's position once the broker has it; rejects when it does not. */
  publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string>;
}

/** Options that only some brokers know. */
export interface PublishOptions {
  /**
   * `broker: 'event-table'` writes the event within this transaction of yours: a `pg` client, or
   * anything else with `query(text, values)`. Default: none.
   */
  readonly transaction?: unknown;
}

/**
 * What a source may have beside `open()`. Sources that are given as objects, and the broker, are
 * started and stopped with the application; one that is a provider has Nest's own hooks as well.
 */
export interface Lifecycle {
  /**
   * Connects, within 10 s. With `failFast` the promise rejects when the system cannot be reached,
   * and the application does not start. Otherwise the source goes on trying by itself.
   *
   * @param log where the source reports what an operator should know
   */
  start?(failFast: boolean, log: SseLogger): Promise<void>;
  /**
   * Releases every timer, connection and listener that it created. Shutdown waits for it for what
   * is left of `drainTimeout`, and half a second at least.
   */
  stop?(): Promise<void>;
}

/** Where the package reports what an operator should know. Nest's `Logger` is one. */
export interface SseLogger {
  log(message: string): void;
  warn(message: string): void;
  /** @param stack where an error was thrown, when that helps to find it */
  error(message: string, stack?: string): void;
}
