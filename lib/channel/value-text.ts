import { atOnce } from './at-once.js';
import { reasonOf } from './reason.js';
import { kindOf } from './shown.js';
import { SseError } from './sse-error.js';

/** Turns data other than strings into the text of an event. */
export type Serialize = (data: unknown) => string;

/**
 * Returns a value as text: strings unchanged, everything else through `serialize`, or as JSON
 * without one.
 * @param remedy what to do about a value that JSON cannot express
 * @throws SseError `INVALID_EVENT` when it cannot be written as text
 */
export function textOf(value: unknown, serialize?: Serialize, remedy = 'Send a string'): string {
  if (typeof value === 'string') {
    return value;
  }
  return serialize === undefined ? jsonOf(value, remedy) : serialized(value, serialize);
}

function jsonOf(value: unknown, remedy: string): string {
  let text: string | undefined;
  let reason = `JSON has no ${typeof value}`;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // The value's getters and its toJSON() may throw anything.
    reason = reasonOf(error).split('\n', 1)[0]!;
  }
  if (text === undefined) {
    throw unsendable(
      `it cannot be written as JSON: ${reason}. ` +
        `${remedy}, or set \`serialize\` in SseModule.forRoot() to a function that writes such values.`,
    );
  }
  return text;
}

function serialized(value: unknown, serialize: Serialize): string {
  if (typeof serialize !== 'function') {
    throw unsendable(`\`serialize\` is ${kindOf(serialize)}. Give a function of the data.`);
  }
  let text: unknown;
  try {
    text = atOnce(serialize(value));
  } catch (cause) {
    throw unsendable(`\`serialize\` threw: ${reasonOf(cause)}`, cause);
  }
  if (typeof text !== 'string') {
    throw unsendable(`\`serialize\` returned ${kindOf(text)}. It must return a string at once.`);
  }
  return text;
}

function unsendable(why: string, cause?: unknown): SseError {
  return new SseError('INVALID_EVENT', `A value cannot be sent, because ${why}`, { cause });
}
