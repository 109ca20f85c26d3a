/** Errors whose outage is in the log already. */
const reported = new WeakSet<object>();

/** Marks an error whose outage is in the log already, so that nobody logs it again. */
export function asReported<E extends object>(error: E): E {
  reported.add(error);
  return error;
}

export function isReported(error: unknown): boolean {
  return typeof error === 'object' && error !== null && reported.has(error);
}
