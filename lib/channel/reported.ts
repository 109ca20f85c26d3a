/** Errors that the log tells of already, mostly by their outage. */
const reported = new WeakSet<object>();

/** Marks an error that the log tells of already, mostly by its outage, so that nobody logs it again. */
export function asReported<E>(error: E): E {
  if (typeof error === 'object' && error !== null) {
    reported.add(error);
  }
  return error;
}

export function isReported(error: unknown): boolean {
  return typeof error === 'object' && error !== null && reported.has(error);
}
