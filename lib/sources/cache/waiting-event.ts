import { SseError } from '../../channel/sse-error.js';
import { hashTag } from '../redis/hash-slot.js';
import { asciiJson } from '../redis/own-ids.js';
import { metaOf, type EventText, type Meta } from '../redis/stream-entry.js';
import type { KeyEvent } from './key-store.js';

/** Why text among the waiting events is left out. */
export const NO_WAITING_EVENT = 'It stood among the waiting events, and is not one.';

export interface WaitingEvent extends KeyEvent {
  /** Whether the key held a value when the event came, so that the value is the older one. */
  readonly afterValue: boolean;
}

/**
 * The text of an event that waits in a store, without the first character, which the store adds: `1`
 * when the key held a value, else `0`.
 *
 * `=<data>`, or `+<length of the meta>+<length of the data>\n<meta><data>`, lengths in UTF-16
 * units as in a stream's entry. The meta is JSON in ASCII, so its length is also that in bytes:
 * scripts part such a text, and append it to a stream, without decoding JSON or counting
 * characters.
 */
export function waitingText({ meta, data }: EventText): string {
  if (meta === '') {
    return `=${data}`;
  }
  const ascii = asciiJson(meta);
  return `+${ascii.length}+${data.length}\n${ascii}${data}`;
}

/** Like `waitingText()`, for an event. */
export function formatWaiting(event: KeyEvent): string {
  return waitingText({ meta: metaOf(event), data: event.data });
}

/** Reads the text of a waiting event, its first character included; `undefined` when it is not one. */
export function parseWaiting(text: unknown): WaitingEvent | undefined {
  if (typeof text !== 'string' || (text[0] !== '0' && text[0] !== '1')) {
    return undefined;
  }
  const afterValue = text[0] === '1';
  if (text[1] === '=') {
    return { data: text.slice(2), afterValue };
  }
  const head = /^.\+(\d+)\+(\d+)\n/.exec(text);
  const start = head?.[0].length ?? 0;
  const end = start + Number(head?.[1]);
  if (!head || text.length !== end + Number(head[2])) {
    return undefined;
  }
  const meta = parseMeta(text.slice(start, end));
  return meta && { data: text.slice(end), type: meta.t, id: meta.i, afterValue };
}

/**
 * Puts the key's own values between the waiting events, in order of arrival: behind the last event
 * that found the key empty.
 */
export function inOrder(
  waiting: readonly WaitingEvent[],
  values: readonly string[],
): readonly KeyEvent[] {
  const own = values.map((data): KeyEvent => ({ data }));
  if (waiting.length === 0) {
    return own;
  }
  const behind = waiting.findLastIndex((event) => !event.afterValue) + 1;
  const events = waiting.map(({ data, type, id }): KeyEvent => ({ data, type, id }));
  return own.length === 0 ? events : events.toSpliced(behind, 0, ...own);
}

/**
 * The key under which events wait. It shares the hash slot of its key, as a script
 * that touches both needs it in a Redis Cluster.
 */
export function waitingKey(key: string): string {
  return `sse:{${slotTag(key)}}:waiting:${key}`;
}

/** The hash tag of the keys that belong to a key: the text in their braces. */
export function slotTag(key: string): string {
  return hashTag(key) ?? key;
}

export function sharesSlot(key: string): boolean {
  return hashTag(key) !== undefined || !key.includes('}');
}

export function tooManyWaiting(key: string, limit: number): SseError {
  return new SseError(
    'LIMIT_REACHED',
    `${limit} events wait for a reader of the key ${JSON.stringify(key)} already. Read the key, ` +
      'or send only while somebody reads it.',
  );
}

function parseMeta(text: string): Meta | undefined {
  try {
    const { t, i } = JSON.parse(text) as Meta;
    return isTextOrUnset(t) && isTextOrUnset(i) ? { t, i } : undefined;
  } catch {
    // Another program has written it.
    return undefined;
  }
}

function isTextOrUnset(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}
