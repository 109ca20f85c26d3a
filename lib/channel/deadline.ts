import { SseError } from './sse-error.js';

/**
 * Waits for the answer of another system, but no longer than `ms` milliseconds. The call itself
 * goes on, and its late answer is dropped.
 *
 * @param what the subject of the error's message, such as "Redis"
 * @param signal ends the wait earlier, with `CLOSED`
 * @throws SseError `UNAVAILABLE` when the time is over; and the promise's own rejection
 */
export async function withDeadline<T>(
  promise: PromiseLike<T>,
  ms: number,
  what: string,
  signal?: AbortSignal,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SseError('UNAVAILABLE', `${what} gave no answer within ${ms} ms.`)),
      ms,
    );
    onAbort = () => reject(new SseError('CLOSED', `${what} gave no answer before the end.`));
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) {
      onAbort();
    }
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort!);
  }
}

/**
 * Waits until the promise has settled, but no longer than `ms` milliseconds.
 * @returns whether it has settled in time
 */
export async function settledWithin(promise: PromiseLike<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
