import { SseError } from '../../channel/sse-error.js';
import { hashTag } from '../redis/hash-slot.js';
import type { KeyEvent } from './key-store.js';

/** An event that waits beside its key. */
export interface WaitingEvent extends KeyEvent {
  /** Whether the key held a value when the event came, so that the value is the older one. */
  readonly afterValue: boolean;
}

/**
 * The text under which an event waits in a store, without the first character, which
 * says whether the key held a value (`1`) or not (`0`): only the store knows that.
 */
export function formatWaiting({ data, type, id }: KeyEvent): string {
  return type === undefined && id === undefined ? `=${data}` : JSON.stringify({ data, type, id });
}

export function parseWaiting(text: string): WaitingEvent {
  const afterValue = text.startsWith('1');
  return text[1] === '='
    ? { data: text.slice(2), afterValue }
    : { ...(JSON.parse(text.slice(1)) as KeyEvent), afterValue };
}

/**
 * Puts the key's own values between the waiting events, where they came: behind the
 * last event that found the key empty.
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

/** What stands in braces in the keys that go along with a key. */
export function slotTag(key: string): string {
  return hashTag(key) ?? key;
}

/** Whether `waitingKey` is in the same hash slot as its key. */
export function sharesSlot(key: string): boolean {
  return hashTag(key) !== undefined || !key.includes('}');
}

export function tooManyWaiting(key: string, limit: number): SseError {
  return new SseError(
    'LIMIT_REACHED',
    `${limit} events wait for a reader of the key ${JSON.stringify(key)} already. Read the key, ` +
      'or send only while it is read.',
  );
}
