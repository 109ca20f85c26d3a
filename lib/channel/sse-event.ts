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
