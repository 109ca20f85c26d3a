/** A value's kind, for people: a value that may be a password is never repeated. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'boolean') {
    return String(value);
  }
  if (Array.isArray(value)) {
    return 'an array';
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/**
 * A wrong value of an option that takes no password, for people. A URL or a list of parameters
 * may have been meant for another option, and is not repeated.
 */
export function shownValue(value: unknown): string {
  if (typeof value === 'number') {
    return String(value);
  }
  return typeof value === 'string' && !/[@/=]/.test(value) ? JSON.stringify(value) : kindOf(value);
}
