import { isPromise } from 'node:util/types';

/**
 * Returns what a function of the application answered where the answer is needed at once. When the
 * function is asynchronous by mistake, the caller refuses its promise, and nobody else hears what
 * the promise rejects with: unheard, that would end the process.
 */
export function atOnce<T>(answer: T): T {
  if (isPromise(answer)) {
    answer.catch(() => undefined);
  }
  return answer;
}
