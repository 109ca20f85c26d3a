import { checkEvent, type EventLimits } from '../channel/event-check.js';
import type { LogEntry } from '../channel/log-entry.js';
import { SseError } from '../channel/sse-error.js';
import { RESET_TYPE } from '../channel/reset-event.js';
import type { SseEvent } from '../channel/sse-event.js';
import { textOf, type Serialize } from '../channel/value-text.js';
import { entryOf, parsedFrom } from './event-of.js';
import { entryFrame, entryFrameWith, frameOf, type FrameFields } from './frame.js';

/** An object that a handler emits as a whole message, as with Nest's own `@Sse()`. */
type Message = Partial<Record<'data' | 'id' | 'type' | 'retry' | 'comment', unknown>>;

/** How emitted values become frames. */
export interface EmittedFrameOptions {
  readonly limits: EventLimits;
  /** Turns data other than strings into text. Default: as JSON. */
  readonly serialize?: Serialize | undefined;
}

/**
 * The frame of a value that a handler has emitted; `undefined` for an object that is no message.
 *
 * @param passed the event that the handler is receiving, whose id a value without one takes over
 * @throws SseError `INVALID_EVENT`, `EVENT_TOO_LARGE`, and whatever the value's getters throw
 */
export function emittedFrame(
  emitted: unknown,
  passed: SseEvent | undefined,
  { limits, serialize }: EmittedFrameOptions,
): string | undefined {
  if (emitted === undefined) {
    return '';
  }
  if (typeof emitted !== 'object' || emitted === null) {
    const data = textOf(emitted, serialize);
    return checkedFrame({ id: passed?.id, data }, passed, limits);
  }
  const entry = entryOf(emitted);
  if (entry) {
    return frameOfEvent(emitted as SseEvent, entry);
  }
  const message: Message = emitted;
  const data = message.data ?? undefined;
  const text = data === undefined ? undefined : dataText(data, serialize);
  return messageFrame(message, text, passed, limits);
}

/**
 * The frame of an event that a handler emits unchanged. On several channels its id is not the
 * entry's.
 */
export function frameOfEvent(event: SseEvent, entry: LogEntry): string {
  return event.id === entry.id ? entryFrame(entry) : entryFrameWith(event.id, entry);
}

/**
 * The text of a message's data. Data that was parsed from a channel's event keeps the event's text:
 * `serialize` takes the application's own values only.
 */
function dataText(data: unknown, serialize: Serialize | undefined): string {
  const text = serialize && typeof data === 'object' && data ? parsedFrom(data) : undefined;
  return text ?? textOf(data, serialize);
}

function messageFrame(
  message: Message,
  data: string | undefined,
  passed: SseEvent | undefined,
  limits: EventLimits,
): string | undefined {
  const comment = message.comment ?? undefined;
  if (data === undefined && comment === undefined && hasMore(message)) {
    return undefined;
  }
  const id = oneLine(message.id);
  const type = oneLine(message.type);
  const fields: FrameFields = {
    id: id ?? passed?.id,
    type,
    retry: (message.retry ?? undefined) as number | undefined,
    data,
  };
  const isSilent = fields.data === undefined && type === undefined;
  if (isSilent && comment !== undefined) {
    return noteOf(comment) + checkedFrame({ ...fields, id }, passed, limits);
  }
  const isMessage = !isSilent || id !== undefined || fields.retry !== undefined;
  if (!isMessage && !isEmpty(message)) {
    return undefined;
  }
  return (comment === undefined ? '' : noteOf(comment)) + checkedFrame(fields, passed, limits);
}

function checkedFrame(
  fields: FrameFields,
  passed: SseEvent | undefined,
  limits: EventLimits,
): string {
  const { id, type, retry, data = '' } = fields;
  checkEvent(
    {
      data,
      // A handler may emit the id and the type of an event that it has received.
      id: id === passed?.id ? undefined : id,
      type: type === RESET_TYPE || type === passed?.type ? undefined : type,
      retry,
    },
    limits,
  );
  return frameOf(fields);
}

/** What a message may have, and an event of a channel. */
const FIELDS = new Set(['data', 'id', 'type', 'retry', 'comment', 'channel']);

/** Whether an object without data has what no message has: it was to be the data, whatever its id is. */
function hasMore(message: object): boolean {
  return !('data' in message) && Object.keys(message).some((name) => !FIELDS.has(name));
}

function isEmpty(message: object): boolean {
  return Object.getPrototypeOf(message) === Object.prototype && Object.keys(message).length === 0;
}

/** The text of a field. Nest's own streams accept numbers as well. */
function oneLine(value: unknown): string | undefined {
  return typeof value === 'number' ? String(value) : ((value ?? undefined) as string | undefined);
}

/** The lines of a comment, which may be several: clients ignore them. */
function noteOf(comment: unknown): string {
  if (typeof comment !== 'string') {
    throw new SseError('INVALID_EVENT', `A \`comment\` is a ${typeof comment}. Give a string.`);
  }
  return comment
    .split(/\r\n|\r|\n/)
    .map((line) => `: ${line}\n`)
    .join('');
}
