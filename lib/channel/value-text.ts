import { atOnce } from './at-once.js';
import { reasonOf } from './reason.js';
import { kindOf } from './shown.js';
import { SseError } from './sse-error.js';
import { kindOfThrown, wordless } from './wordless.js';

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

/** What JSON.stringify() itself says. */
const WORDS_OF_JSON =
  /^(Do not know how to serialize a BigInt|Converting circular structure to JSON|Maximum call stack size exceeded|Invalid string length)/;

function jsonOf(value: unknown, remedy: string): string {
  let text: string | undefined;
  let reason = `JSON has no ${typeof value}`;
  let cause: Error | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // The value's getters and its toJSON() may throw anything, with data in its words.
    reason = WORDS_OF_JSON.exec(reasonOf(error))?.[0] ?? `its code threw ${kindOfThrown(error)}`;
    cause = wordless(error);
  }
  if (text === undefined) {
    throw unsendable(
      `it cannot be written as JSON: ${reason}. ` +
        `${remedy}, or set \`serialize\` in SseModule.forRoot() to a function that writes such values.`,
      cause,
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
    throw unsendable(`\`serialize\` threw ${kindOfThrown(cause)}.`, wordless(cause));
  }
  if (typeof text !== 'string') {
    throw unsendable(`\`serialize\` returned ${kindOf(text)}. It must return a string at once.`);
  }
  return text;
}

function unsendable(why: string, cause?: unknown): SseError {
  return new SseError('INVALID_EVENT', `A value cannot be sent, because ${why}`, { cause });
}
