import { CONTROL, SURROGATE } from './channel-name.js';
import { MAX_TIMER_MS } from './clock.js';
import { checkEventType } from './event-type.js';
import { JOIN_TYPE, LEAVE_TYPE } from './presence.js';
import { RunEvent } from './run-event.js';
import type { ChannelSink, SourceEvent } from './source.js';
import { shown } from './shown.js';
import { SseError } from './sse-error.js';
import { EARLIEST, isNextAfter } from './start-position.js';

export interface EventLimits {
  /** Bytes of the event's data, in UTF-8. */
  readonly eventSize: number;
  /** Characters of its `id`. Default: 1,024. */
  readonly idLength?: number;
}

/** The reserved types that a broker may append, when it says that they are about presence. */
const PRESENCE_TYPES: ReadonlySet<unknown> = new Set([JOIN_TYPE, LEAVE_TYPE]);

/** Characters of an id. Clients return ids in a header, whose size servers limit. */
const MAX_LINE = 1_024;

/**
 * Checks an event that enters a channel, wherever it comes from: `send()`, a key, a
 * notification, a row, a Redis entry, or the application's own source.
 *
 * @throws SseError `INVALID_EVENT`, `EVENT_TOO_LARGE`
 */
export function checkEvent(event: SourceEvent, limits: EventLimits): void {
  if (typeof event !== 'object' || event === null) {
    throw invalid(`An event is ${shown(event)}. Give an object with \`data\`.`);
  }
  const { data, type, id, position, retry, end, isPresence } = event;
  if (typeof data !== 'string') {
    throw invalid(`The event's \`data\` is ${shown(data)}. Give a string.`);
  }
  if (
    type !== undefined &&
    !(isPresence && PRESENCE_TYPES.has(type)) &&
    !(event instanceof RunEvent)
  ) {
    checkEventType(type);
  }
  if (id !== undefined) {
    checkId('id', id, limits.idLength);
  }
  if (position !== undefined) {
    checkId('position', position);
    if (position.includes(',')) {
      throw invalid(
        `The event's \`position\` is ${shown(position)}. Leave out commas: they separate the ` +
          'positions of a connection on several channels.',
      );
    }
  }
  if (retry !== undefined && !(Number.isInteger(retry) && retry >= 0 && retry <= MAX_TIMER_MS)) {
    throw invalid(
      `The event's \`retry\` is ${shown(retry)}. Give a whole number of milliseconds from 0 to ${MAX_TIMER_MS}.`,
    );
  }
  if (end !== undefined && typeof end !== 'boolean') {
    throw invalid(`The event's \`end\` is ${shown(end)}. Give true or false.`);
  }
  checkSize(data, limits.eventSize);
}

/**
 * Appends an event that came from another system. An event that breaks a rule would stop the
 * channel for ever if the source tried it again. This reports it and leaves it out; clients
 * receive an `sse:reset` with the reason `skipped-event` in its place.
 */
export function appendOrSkip(
  sink: ChannelSink,
  event: SourceEvent,
  report: (error: SseError) => void,
): void {
  try {
    sink.append(event);
  } catch (error) {
    if (!(error instanceof SseError)) {
      throw error;
    }
    report(error);
    const position: unknown = (event as SourceEvent | null)?.position;
    sink.reset('skipped-event', isPosition(position) ? position : undefined);
  }
}

/**
 * Refuses a publisher's own id that could be a position: a client that returns with it would
 * resume after another event, and miss those in between.
 *
 * @param where whose position it could be, such as "of a Redis stream"
 * @throws SseError `INVALID_EVENT`
 */
export function refuseAsPosition(id: string, where: string): never {
  throw invalid(
    `The event's \`id\` is ${shown(id)}, which could be a position ${where}. Choose another form, ` +
      `such as ${shown(`v${id}`)}.`,
  );
}

/**
 * Checks that clients can return an id unchanged. They do so in a header, which allows no control
 * characters and loses blanks at either end.
 * https://www.rfc-editor.org/rfc/rfc9110#section-5.5
 */
function checkId(name: 'id' | 'position', id: unknown, maxLength?: number): void {
  const fault = faultOfId(id, maxLength);
  if (fault) {
    throw invalid(`The event's \`${name}\` ${fault}`);
  }
}

export function isPosition(value: unknown): value is string {
  return faultOfId(value) === undefined && !(value as string).includes(',');
}

/** Most positions are of this form, which breaks no rule but that of the length. */
const NUMBERED = /^\d[\d.-]*$/;

function faultOfId(id: unknown, maxLength = MAX_LINE): string | undefined {
  if (typeof id !== 'string') {
    return `is ${shown(id)}. Give a string.`;
  }
  if (id.length <= maxLength && NUMBERED.test(id)) {
    return undefined;
  }
  if (id === '') {
    return "is empty, which would erase the client's position. Leave it out, or give every event an id of its own.";
  }
  if (id.length > maxLength) {
    return `has ${id.length} characters. Give at most ${maxLength}.`;
  }
  if (CONTROL.test(id)) {
    return `is ${shown(id)}. Clients could not return with it: leave out control characters.`;
  }
  if (/^ | $/.test(id)) {
    return `is ${shown(id)}. Clients would return without the blanks: leave them out at either end.`;
  }
  if (SURROGATE.test(id)) {
    return `is ${shown(id)}, which is not well-formed text.`;
  }
  if (id === EARLIEST) {
    return `is "${EARLIEST}", which asks for the oldest event when a client returns with it. Choose another.`;
  }
  if (isNextAfter(id)) {
    return `is ${shown(id)}. Its end means that a client waits for the next run. Choose another.`;
  }
  return undefined;
}

/** Whether a text surely has at most this many bytes: UTF-8 takes at most three for each of its units. */
export function isSmall(text: string, limit: number): boolean {
  return text.length * 3 <= limit;
}

function checkSize(text: string, limit: number): void {
  const size = isSmall(text, limit) ? 0 : Buffer.byteLength(text);
  if (size > limit) {
    throw tooLarge(size, limit);
  }
}

/** The error for data of more bytes than an event may have. */
export function tooLarge(size: number, limit: number): SseError {
  return new SseError(
    'EVENT_TOO_LARGE',
    `The event's data has ${size} bytes; \`limits.eventSize\` allows ${limit}. ` +
      'Send a reference that clients fetch, or raise the limit.',
  );
}

function invalid(message: string): SseError {
  return new SseError('INVALID_EVENT', message);
}
