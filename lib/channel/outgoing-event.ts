import { checkEvent, type EventLimits } from './event-check.js';
import type { OutgoingEvent } from './source.js';
import { textOf } from './value-text.js';

/** What a publisher may say of an event beside its data. */
export interface EventFields {
  /** The event's name; a browser listens for it by `addEventListener(type, …)`. Default: none. */
  readonly type?: string | undefined;
  /**
   * An id of your own, in place of the event's position. Clients resume after it as
   * long as the event is retained. Give every event of a channel another one.
   */
  readonly id?: string | undefined;
  /** The reconnection time in milliseconds that clients are told. Default: unchanged. */
  readonly retry?: number | undefined;
}

/**
 * Turns an event's data into text, a string as it is and everything else as JSON, and checks it.
 * @throws SseError `INVALID_EVENT`, `EVENT_TOO_LARGE`
 */
export function outgoingEvent(
  data: unknown,
  { type, id, retry }: EventFields,
  limits: EventLimits,
): OutgoingEvent {
  const event = { data: textOf(data), type, id, retry };
  checkEvent(event, limits);
  return event;
}
