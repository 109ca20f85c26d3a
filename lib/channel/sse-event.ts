import type { ResetReason } from './source.js';

/**
 * An event that Observables of channels emit. Assignable to Nest's `MessageEvent`.
 *
 * @typeParam T the type of `data`: the parsed value when the event's text is a JSON
 * object or array, else the text itself.
 */
// Without a type argument, `data` is what the application knows it to be.
// oxlint-disable-next-line typescript/no-explicit-any
export interface SseEvent<T extends string | object = any> {
  /** The channel the event was read from. */
  readonly channel: string;
  /** The event's id: its position in the channel's log, or the publisher's own. */
  readonly id: string;
  /** The event's name. Unset for an unnamed event, a browser's `message`. */
  readonly type?: string;
  /**
   * Shared by all subscribers of the channel in this process: do not change it,
   * emit a copy.
   */
  readonly data: T;
  /** The reconnection time in milliseconds that clients take over with the event. */
  readonly retry?: number;
}

/** The `type` of the event that tells a client that events may be missing. */
export const RESET_TYPE = 'sse:reset';

/** The `data` of a `sse:reset` event. */
export interface SseReset {
  /** The channel in which events may be missing. */
  readonly channel: string;
  /** Why. */
  readonly reason: ResetReason;
}

/**
 * Whether an event is a reset: events may be missing, so that the application must load again
 * whatever it has built from them.
 */
export function isReset(event: { readonly type?: string }): event is SseEvent<SseReset> {
  return event.type === RESET_TYPE;
}
