import { isPromise } from 'node:util/types';

/**
 * Returns the answer of an application's function that must be synchronous. If the function is
 * asynchronous by mistake, the caller refuses its promise; this catches the promise's rejection,
 * which would otherwise end the process.
 */
export function atOnce<T>(answer: T): T {
  if (isPromise(answer)) {
    answer.catch(() => undefined);
  }
  return answer;
}

/** Returns a promise whose caller need not await it: Node ends the process at a rejection that nobody takes. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
