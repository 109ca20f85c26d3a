import { SseError } from './sse-error.js';
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

/** Clients believe what arrives under these names. */
const RESERVED_TYPES = 'sse:';

/** The largest reconnection time: what a browser's timer can wait. */
const MAX_RETRY_MS = 2 ** 31 - 1;

/**
 * Checks an event, and turns its data into text: a string as it is, everything else as JSON.
 * @throws SseError `INVALID_EVENT`, `EVENT_TOO_LARGE`
 */
export function outgoingEvent(
  data: unknown,
  fields: EventFields,
  limits: { readonly eventSize: number },
): OutgoingEvent {
  const { type, id, retry } = fields;
  checkLine('type', type);
  checkLine('id', id);
  if (type?.startsWith(RESERVED_TYPES)) {
    throw new SseError(
      'INVALID_EVENT',
      `The event's \`type\` is ${shown(type)}. Types that begin with "${RESERVED_TYPES}" are this ` +
        "module's own, such as the announcement of a gap. Choose another name.",
    );
  }
  if (id === '') {
    throw new SseError(
      'INVALID_EVENT',
      "The event's `id` is empty, which would erase the client's position. Leave it out, or give every event an id of its own.",
    );
  }
  if (retry !== undefined && !(Number.isInteger(retry) && retry >= 0 && retry <= MAX_RETRY_MS)) {
    throw new SseError(
      'INVALID_EVENT',
      `The event's \`retry\` is ${String(retry)}. Give a whole number of milliseconds from 0 to ${MAX_RETRY_MS}.`,
    );
  }
  const text = textOf(data);
  checkSize(text, limits.eventSize);
  return { data: text, type, id, retry };
}

/** Whether a text can stand in an event's `type` or `id`: it would break the frame otherwise. */
export function isEventLine(value: unknown): value is string {
  return typeof value === 'string' && !/[\r\n\0]/.test(value);
}

function checkLine(name: 'type' | 'id', value: unknown): void {
  if (value === undefined) {
    return;
  }
  if (typeof value !== 'string') {
    throw new SseError(
      'INVALID_EVENT',
      `The event's \`${name}\` is ${String(value)}, a ${typeof value}. Give a string.`,
    );
  }
  if (!isEventLine(value)) {
    throw new SseError(
      'INVALID_EVENT',
      `The event's \`${name}\` is ${shown(value)}. It takes one line: leave out CR, LF and NUL.`,
    );
  }
  if (value.length > MAX_LINE) {
    throw new SseError(
      'INVALID_EVENT',
      `The event's \`${name}\` has ${value.length} characters. Give at most ${MAX_LINE}.`,
    );
  }
}

/** Clients send the id back in a header, whose size servers limit. */
const MAX_LINE = 1_024;

function checkSize(text: string, limit: number): void {
  // UTF-8 takes at most three bytes for each of a string's units.
  const size = text.length * 3 <= limit ? 0 : Buffer.byteLength(text);
  if (size > limit) {
    throw new SseError(
      'EVENT_TOO_LARGE',
      `The event's data has ${size} bytes; \`limits.eventSize\` allows ${limit}. ` +
        'Send a reference that clients fetch, or raise the limit.',
    );
  }
}

function shown(value: string): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
