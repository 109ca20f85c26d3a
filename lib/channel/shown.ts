/** The most characters of a value that an error repeats. */
const MOST_SHOWN = 80;

/**
 * A value's kind, for people. For values that may be a password, and for those whose text is long:
 * that of a function is its source.
 */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'boolean') {
    return String(value);
  }
  if (Array.isArray(value)) {
    return 'an array';
  }
  if (value instanceof Promise) {
    return 'a promise';
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A short form of a value that is no secret, for an error's message. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return cut(JSON.stringify(value));
    case 'number':
    case 'bigint':
      return cut(String(value));
    default:
      return kindOf(value);
  }
}

/**
 * A wrong value of an option that takes no password, for an error's message. A URL or a list of
 * parameters may have been meant for another option, and is not repeated.
 */
export function shownOption(value: unknown): string {
  return typeof value === 'string' && /[@/=]/.test(value) ? kindOf(value) : shown(value);
}

function cut(text: string): string {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
