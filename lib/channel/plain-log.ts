import type { SseLogger } from './source.js';

/**
 * A log that writes control characters as `\x1b` and the like. Names and other systems' messages
 * may contain them: a line break would forge a log line, and an escape code would control the
 * operator's terminal.
 */
export function plainLog(to: SseLogger): SseLogger {
  return {
    log: (message) => to.log(plain(message)),
    warn: (message) => to.warn(plain(message)),
    error: (message, stack) =>
      stack === undefined ? to.error(plain(message)) : to.error(plain(message), plainStack(stack)),
  };
}

/** Control characters, line ends, and what makes a terminal show a text in another order than it has. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text without control characters: each is written as `\x1b` or the like. */
export function plain(message: string): string {
  return message.replace(UNPRINTABLE, escaped);
}

function plainStack(stack: string): string {
  return stack.split('\n').map(plain).join('\n');
}

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}
