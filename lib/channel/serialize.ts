import { atOnce } from './at-once.js';
import { reasonOf } from './reason.js';
import { kindOf } from './shown.js';
import { SseError } from './sse-error.js';
import { textOf } from './value-text.js';

/** Turns data other than strings into the text of an event. */
export type Serialize = (data: unknown) => string;

/**
 * Returns published data as text: strings unchanged, everything else through `serialize`, or as
 * JSON without one.
 * @throws SseError `INVALID_EVENT` when it cannot be written as text
 */
export function publishedText(data: unknown, serialize: Serialize | undefined): string {
  if (typeof data === 'string' || serialize === undefined) {
    return textOf(data);
  }
  if (typeof serialize !== 'function') {
    throw new SseError(
      'INVALID_EVENT',
      `The event's \`serialize\` is ${kindOf(serialize)}. Give a function of the data.`,
    );
  }
  let text: unknown;
  try {
    text = atOnce(serialize(data));
  } catch (cause) {
    throw new SseError(
      'INVALID_EVENT',
      `A value cannot be sent, because \`serialize\` threw: ${reasonOf(cause)}`,
      { cause },
    );
  }
  if (typeof text !== 'string') {
    throw new SseError(
      'INVALID_EVENT',
      `A value cannot be sent, because \`serialize\` returned ${kindOf(text)}. ` +
        'It must return a string at once.',
    );
  }
  return text;
}
