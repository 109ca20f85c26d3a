/**
 * Why a client may miss events. Clients receive it as the `reason` of an `sse:reset` event.
 *
 * - `trimmed`: the events after the client's position are no longer retained
 * - `unknown-position`: the client's `Last-Event-ID` is not a position of this channel
 * - `failover`: the system behind the channel lost or replaced its history
 * - `listener-gap`: the source was not listening for a while
 * - `slow-consumer`: the client read so slowly that its next event is no longer retained
 * - `skipped-event`: an event from another system could not be sent, and was left out
 */
export type ResetReason =
  'trimmed' | 'unknown-position' | 'failover' | 'listener-gap' | 'slow-consumer' | 'skipped-event';

/** The `data` of a `sse:reset` event. */
export interface SseReset {
  /** The channel in which events may be missing. */
  readonly channel: string;
  /** Why. */
  readonly reason: ResetReason;
}
