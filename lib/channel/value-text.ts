import { reasonOf } from './reason.js';
import { SseError } from './sse-error.js';

/**
 * Returns a value as text: strings unchanged, everything else as JSON.
 * @throws SseError `INVALID_EVENT` when JSON cannot express it
 */
export function textOf(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  let text: string | undefined;
  let reason = `JSON has no ${typeof value}`;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // The value's getters and its toJSON() may throw anything.
    reason = reasonOf(error).split('\n', 1)[0]!;
  }
  if (text === undefined) {
    throw new SseError(
      'INVALID_EVENT',
      `A value cannot be sent, because it cannot be written as JSON: ${reason}. ` +
        'Send a string, or set `serialize` in SseModule.forRoot() to a function that writes such values.',
    );
  }
  return text;
}
