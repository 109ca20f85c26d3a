import { randomBytes } from 'node:crypto';
import type { NewRun, RunChunk, RunName, RunStore } from '../../channel/runs.js';
import { freshChannel } from './rig.js';

/** Adds a case with two stores: each is of an instance of its own, where the system is shared. */
export type AddRunCase = (
  name: string,
  run: (one: RunStore, two: RunStore) => Promise<void>,
) => void;

/** A lease that ends while a case waits for it, in milliseconds. */
export const SHORT_LEASE_MS = 250;
/** A lease that does not. */
export const LONG_LEASE_MS = 600_000;
const KEEP_MS = 600_000;

export const END: RunChunk = { data: '[DONE]', end: true };
/** What a call of `end()` adds. */
export const STOPPED: readonly RunChunk[] = [
  { data: '{}', type: 'sse:stopped', ending: 1 },
  { ...END, ending: 2 },
];

let runs = 0;

export function newRun(fields: Partial<NewRun> = {}): NewRun {
  const id = `${randomBytes(6).toString('hex')}-${++runs}`;
  return {
    channel: freshChannel(),
    id,
    format: 'default',
    lease: LONG_LEASE_MS,
    keep: KEEP_MS,
    ...fields,
  };
}

export function nameOf({ channel, id }: NewRun): RunName {
  return { channel, id };
}

export function numbered(count: number, from = 0): RunChunk[] {
  return Array.from({ length: count }, (_, index) => ({ data: `chunk ${from + index}` }));
}

/** Chunks for comparison: a store may leave fields out. */
export function plain(chunks: readonly RunChunk[] | undefined): unknown {
  return chunks?.map(({ data, type, end = false, ending }) => [data, type ?? '', end, ending ?? 0]);
}

/** One who follows a run as the package does, and reads what it has missed. */
export function follower(store: RunStore, run: NewRun) {
  const follows = {
    wakes: 0,
    head: 0,
    chunks: [] as RunChunk[],
    leave: () => end(),
  };
  const take = (after: number, chunks: readonly RunChunk[]): void => {
    if (after <= follows.head && after + chunks.length > follows.head) {
      follows.chunks.push(...chunks.slice(follows.head - after));
      follows.head = after + chunks.length;
    }
  };
  const read = async (): Promise<void> => {
    const after = follows.head;
    take(after, (await store.read(nameOf(run), after, 1_000)) ?? []);
  };
  const end = store.follow(nameOf(run), (after, chunks) => {
    follows.wakes++;
    if (after === undefined || after > follows.head) {
      void read();
    } else {
      take(after, chunks!);
    }
  });
  return follows;
}

export function same(actual: unknown, expected: unknown): void {
  const [is, shouldBe] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== shouldBe) {
    throw new Error(`It is ${is}, and should be ${shouldBe}.`);
  }
}
