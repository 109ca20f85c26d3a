import { describe, expect, it } from '@jest/globals';
import { Guard } from '../../lib/channel/guard.js';
import { iterableStream } from '../../lib/delivery/iterable-stream.js';
import { until } from '../support/until.js';

/** Reads an iterable into an array, with room for as many values as a test says. */
function rig(iterable: AsyncIterable<unknown>, most = Infinity) {
  const logged: string[] = [];
  const note = (message: string): void => void logged.push(message);
  const guard = new Guard({ log: note, warn: note, error: note });
  const seen: unknown[] = [];
  let room = most;
  let goOn: (() => void) | undefined;
  const state = {
    get isFull() {
      return seen.length >= room;
    },
    whenRoom: () => new Promise<void>((resolve) => (goOn = resolve)),
  };
  let end: unknown;
  const subscription = iterableStream(iterable, state, guard).subscribe({
    next: (value) => seen.push(value),
    error: (error: unknown) => (end = error),
    complete: () => (end = 'complete'),
  });
  const makeRoom = (more: number): void => {
    room += more;
    goOn?.();
  };
  return { logged, seen, subscription, makeRoom, end: () => end };
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) {
    await new Promise(setImmediate);
  }
};

/** An iterable that counts what it is asked for. */
function counted(values: number) {
  const calls = { next: 0, returned: 0 };
  const iterable: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const value = ++calls.next;
        return value > values ? { done: true, value: undefined } : { done: false, value };
      },
      return: async () => {
        calls.returned++;
        return { done: true, value: undefined };
      },
    }),
  };
  return { calls, iterable };
}

describe('The stream of an async iterable', () => {
  it('has its values in order, and ends with it', async () => {
    const { calls, iterable } = counted(5);
    const { seen, end, subscription, logged } = rig(iterable);
    await until(() => end() === 'complete');
    subscription.unsubscribe();
    await turns(2);
    expect([seen, calls, logged]).toEqual([[1, 2, 3, 4, 5], { next: 6, returned: 0 }, []]);
  });

  it('fails with it, behind the values before', async () => {
    const fault = new Error('No more.');
    const { seen, end, logged } = rig(
      (async function* () {
        yield 1;
        throw fault;
      })(),
    );
    await until(() => end() === fault);
    expect([seen, logged]).toEqual([[1], []]);
  });

  it('asks for a value only when there is room for one', async () => {
    const { calls, iterable } = counted(Infinity);
    const { seen, subscription, makeRoom } = rig(iterable, 2);
    for (const most of [2, 5]) {
      await until(() => seen.length === most);
      await turns(5);
      expect([seen.length, calls.next]).toEqual([most, most]);
      makeRoom(3);
    }
    await until(() => seen.length === 8);
    subscription.unsubscribe();
  });

  it('closes the iterable once, as soon as nobody reads it', async () => {
    const { calls, iterable } = counted(Infinity);
    const { seen, subscription, makeRoom } = rig(iterable, 2);
    await until(() => seen.length === 2);
    await turns(2);
    subscription.unsubscribe();
    expect(calls).toEqual({ next: 2, returned: 1 });
    makeRoom(5);
    await turns(5);
    expect([seen, calls]).toEqual([[1, 2], { next: 2, returned: 1 }]);
  });

  it('needs no return(), and logs one that fails', async () => {
    const waits = { next: () => new Promise<never>(() => undefined) };
    const plain = rig({ [Symbol.asyncIterator]: () => waits });
    plain.subscription.unsubscribe();
    const fails = { ...waits, return: () => Promise.reject(new Error('No.')) };
    const failing = rig({ [Symbol.asyncIterator]: () => fails });
    failing.subscription.unsubscribe();
    await turns(2);
    expect([plain.logged, failing.logged]).toEqual([
      [],
      ["The return() of a handler's async iterable failed: No."],
    ]);
  });

  it('leaves time to others when there is always a value and always room', async () => {
    const { iterable } = counted(Infinity);
    const { seen, subscription } = rig(iterable);
    for (let turn = 0; turn < 5; turn++) {
      const before = seen.length;
      await turns(1);
      expect(seen.length).toBeGreaterThanOrEqual(before);
    }
    // A slice has more than one value.
    expect(seen.length).toBeGreaterThan(100);
    subscription.unsubscribe();
  });
});
