/** Errors of an outage that the operator has been told of. */
const reported = new WeakSet<object>();

/** Marks an error as one of an outage that is in the log already, so that nobody logs it again. */
export function asReported<E extends object>(error: E): E {
  reported.add(error);
  return error;
}

/** Whether the outage that caused an error is in the log already. */
export function isReported(error: unknown): boolean {
  return typeof error === 'object' && error !== null && reported.has(error);
}
