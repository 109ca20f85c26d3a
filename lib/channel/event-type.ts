import { shown } from './shown.js';
import { SseError } from './sse-error.js';

/** Clients trust types with this prefix, so that no publisher may use it. */
const RESERVED_TYPES = 'sse:';

const MOST_CHARACTERS = 1_024;

export function isEventType(value: unknown): value is string {
  return isLine(value) && value.length <= MOST_CHARACTERS && !value.startsWith(RESERVED_TYPES);
}

// oxlint-disable-next-line no-control-regex
const LINE_END_OR_NUL = /[\r\n\0]/;

function isLine(value: unknown): value is string {
  return typeof value === 'string' && !LINE_END_OR_NUL.test(value);
}

/** @throws SseError `INVALID_EVENT` */
export function checkEventType(type: unknown): void {
  if (typeof type !== 'string') {
    throw invalid(`The event's \`type\` is ${shown(type)}. Give a string.`);
  }
  if (!isLine(type)) {
    throw invalid(
      `The event's \`type\` is ${shown(type)}. It takes one line: leave out CR, LF and NUL.`,
    );
  }
  if (type.length > MOST_CHARACTERS) {
    throw invalid(
      `The event's \`type\` has ${type.length} characters. Give at most ${MOST_CHARACTERS}.`,
    );
  }
  if (type.startsWith(RESERVED_TYPES)) {
    throw invalid(
      `The event's \`type\` is ${shown(type)}. Types that begin with "${RESERVED_TYPES}" are this ` +
        "module's own, such as the announcement of a gap. Choose another name.",
    );
  }
}

function invalid(message: string): SseError {
  return new SseError('INVALID_EVENT', message);
}
