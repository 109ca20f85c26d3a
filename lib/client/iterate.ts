import { SseClientError } from './client-error.js';

/** Who reads a subscription; an observer of RxJS is one. */
export interface ClientObserver<Event> {
  readonly next?: ((event: Event) => void) | undefined;
  readonly error?: ((error: unknown) => void) | undefined;
  readonly complete?: (() => void) | undefined;
}

/** How many events wait for a loop that is slower than they come. */
const MAX_WAITING = 1_000;

/**
 * The events of a subscription for a `for await` loop, from now on. When more events wait than it keeps,
 * the loop ends with an error after them: nothing is lost in silence.
 *
 * @param observe begins to read, and returns what ends that
 */
export function iterate<Event>(
  observe: (observer: ClientObserver<Event>) => () => void,
): AsyncIterableIterator<Event> {
  type Result = IteratorResult<Event, undefined>;
  const waiting: Event[] = [];
  const asking: { resolve(result: Result): void; reject(error: unknown): void }[] = [];
  let isOver = false;
  let failure: unknown;

  const stop = observe({
    next(event) {
      const asked = asking.shift();
      if (asked) asked.resolve({ done: false, value: event });
      else if (waiting.push(event) > MAX_WAITING) {
        waiting.pop();
        stop();
        end(
          new SseClientError(
            `The loop is ${MAX_WAITING} events behind. Read faster, or subscribe anew.`,
            { isFinal: true },
          ),
        );
      }
    },
    error: (error) => end(error),
    complete: () => end(),
  });

  function end(error?: unknown): void {
    isOver = true;
    failure = error;
    // Only where nothing waits does somebody ask.
    for (const asked of asking.splice(0)) answer(asked);
  }

  function answer({ resolve, reject }: (typeof asking)[number]): void {
    const error = failure;
    failure = undefined;
    if (error === undefined) resolve({ done: true, value: undefined });
    else reject(error);
  }

  return {
    next: () =>
      new Promise((resolve, reject) => {
        if (waiting.length > 0) resolve({ done: false, value: waiting.shift()! });
        else if (isOver) answer({ resolve, reject });
        else asking.push({ resolve, reject });
      }),
    return() {
      stop();
      waiting.length = 0;
      end();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
