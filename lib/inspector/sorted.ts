import { inSlices } from '../channel/slices.js';

/** How long a slice of the inspector's work may be, in milliseconds. */
export const SLICE_MS = 2;

/** How many members one step sorts or merges. */
const STEP = 64;

/** Below zero when `a` comes before `b`. */
type Compare<T> = (a: T, b: T) => number;

/** Sorts in slices of time, and leaves equal members in their order. */
export async function sorted<T>(members: readonly T[], compare: Compare<T>): Promise<T[]> {
  const sorting = { result: [...members] };
  await inSlices(steps(sorting, compare), () => undefined, SLICE_MS);
  return sorting.result;
}

function* steps<T>(sorting: { result: T[] }, compare: Compare<T>): Iterable<void> {
  let from = sorting.result;
  for (let at = 0; at < from.length; at += STEP) {
    const run = from.slice(at, at + STEP).sort(compare);
    run.forEach((member, index) => (from[at + index] = member));
    yield;
  }
  let to = Array.from<T>({ length: from.length });
  for (let width = STEP; width < from.length; width *= 2) {
    for (let at = 0; at < from.length; at += 2 * width) {
      yield* merging(from, to, at, width, compare);
    }
    [from, to] = [to, from];
  }
  sorting.result = from;
}

/** Merges two sorted runs of `from`, which begin at `at`, into the same place of `to`. */
function* merging<T>(
  from: readonly T[],
  to: T[],
  at: number,
  width: number,
  compare: Compare<T>,
): Iterable<void> {
  const middle = Math.min(at + width, from.length);
  const end = Math.min(at + 2 * width, from.length);
  let left = at;
  let right = middle;
  for (let place = at; place < end; place++) {
    const isLeft = left < middle && (right >= end || compare(from[left]!, from[right]!) <= 0);
    to[place] = isLeft ? from[left++]! : from[right++]!;
    if (place % STEP === 0) {
      yield;
    }
  }
}
