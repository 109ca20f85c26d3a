import { checkEvent, type EventLimits } from './event-check.js';
import type { OutgoingEvent } from './source.js';
import { textOf, type Serialize } from './value-text.js';

/** The fields that a publisher may give an event beside its data. */
export interface EventFields {
  /** The event's name; a browser listens for it by `addEventListener(type, …)`. Default: none. */
  readonly type?: string | undefined;
  /**
   * An id of your own, in place of the event's position. Clients resume after it as
   * long as the event is retained. Give each event of a channel a different id.
   */
  readonly id?: string | undefined;
  /** A new reconnection time for clients, in milliseconds. Default: unchanged. */
  readonly retry?: number | undefined;
}

/**
 * Turns an event's data into text, and checks it.
 * @param serialize turns data other than strings into text; `undefined` for JSON
 * @throws SseError `INVALID_EVENT`, `EVENT_TOO_LARGE`
 */
export function outgoingEvent(
  data: unknown,
  { type, id, retry }: EventFields,
  limits: EventLimits,
  serialize: Serialize | undefined,
): OutgoingEvent {
  const event = { data: textOf(data, serialize), type, id, retry };
  checkEvent(event, limits);
  return event;
}
