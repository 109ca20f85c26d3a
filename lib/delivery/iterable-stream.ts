import { setImmediate } from 'node:timers/promises';
import { Observable, type Subscriber } from 'rxjs';
import { monotonicNow } from '../channel/clock.js';
import type { Guard } from '../channel/guard.js';
import { SLICE_MS } from '../channel/slices.js';

/** Where values go. */
export interface Room {
  readonly isFull: boolean;
  whenRoom(): Promise<void>;
}

/**
 * Streams a handler's async iterable. It requests a value when there is room for one, and ends the
 * iterable as soon as the stream ends, not only at the next value.
 */
export function iterableStream(
  iterable: AsyncIterable<unknown>,
  room: Room,
  guard: Guard,
): Observable<unknown> {
  return new Observable((subscriber) => {
    const iterator = iterable[Symbol.asyncIterator]();
    let isOver = false;
    subscriber.add(() => {
      if (!isOver) {
        guard.run("The return() of a handler's async iterable", async () => iterator.return?.());
      }
    });
    const end = (notify: () => void): void => {
      isOver = true;
      guard.run("The end of a handler's async iterable", notify);
    };
    iterate(iterator, subscriber, room).then(
      (hasEnded) => hasEnded && end(() => subscriber.complete()),
      (error: unknown) => end(() => subscriber.error(error)),
    );
  });
}

/**
 * Passes values on. Resolves with true after the last value, with false if the stream ended before.
 */
async function iterate(
  iterator: AsyncIterator<unknown>,
  subscriber: Subscriber<unknown>,
  room: Room,
): Promise<boolean> {
  let sliceBegan = monotonicNow();
  while (!subscriber.closed) {
    const { done, value } = await iterator.next();
    if (done) {
      return true;
    }
    subscriber.next(value);
    if (room.isFull) {
      await room.whenRoom();
      sliceBegan = monotonicNow();
    } else if (monotonicNow() - sliceBegan > SLICE_MS) {
      await setImmediate();
      sliceBegan = monotonicNow();
    }
  }
  return false;
}
