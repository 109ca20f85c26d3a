import { plain } from './plain-text.js';
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

function plainStack(stack: string): string {
  return stack.split('\n').map(plain).join('\n');
}
