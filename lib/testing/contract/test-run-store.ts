import { randomBytes } from 'node:crypto';
import type { NewRun, RunChunk, RunName, RunStore } from '../../channel/runs.js';
import { freshChannel, until, type ContractTest } from './rig.js';

/** A store of runs, and how a test gets one. */
export interface RunStoreSubject {
  /** Makes another store of the same system, each time, as another instance has it. */
  readonly store: () => RunStore | Promise<RunStore>;
  /** Releases what a store needed, after its `close()`. */
  readonly release?: (store: RunStore) => Promise<void>;
  /** Whether two stores have the same runs. Default: true. */
  readonly isShared?: boolean;
  /** How long a case waits for something to happen, in milliseconds. Default: 10,000. */
  readonly timeout?: number;
}

/** A lease that ends while a case waits for it, and one that does not, in milliseconds. */
const SHORT_LEASE_MS = 250;
const LONG_LEASE_MS = 600_000;
const KEEP_MS = 600_000;

const END: RunChunk = { data: '[DONE]', end: true };
const STOPPED: readonly RunChunk[] = [{ data: '{}', type: 'sse:stopped' }, END];

/**
 * The contract of stores of runs as cases for any test runner.
 *
 * @example
 * ```ts
 * for (const { name, run } of testRunStore({ store: () => new MyBroker(url).openRuns() })) {
 *   it(name, run);
 * }
 * ```
 */
export function testRunStore(subject: RunStoreSubject): readonly ContractTest[] {
  const { isShared = true, timeout = 10_000 } = subject;
  const tests: ContractTest[] = [];
  const inStores = async (run: (one: RunStore, two: RunStore) => Promise<void>): Promise<void> => {
    const one = await subject.store();
    const two = isShared ? await subject.store() : one;
    try {
      await run(one, two);
    } finally {
      for (const store of new Set([one, two])) {
        await store.close();
        await subject.release?.(store);
      }
    }
  };
  /** Adds a case with two stores: each is of an instance of its own, where the system is shared. */
  const add = (name: string, run: (one: RunStore, two: RunStore) => Promise<void>): void =>
    void tests.push({ name, run: () => inStores(run) });

  add('begins a run, and finds it by its channel and by its id', async (one, two) => {
    const run = newRun();
    const begun = await one.begin(run);
    same([begun.id, begun.format, begun.head, begun.hasEnded], [run.id, 'default', 0, false]);
    for (const found of [await two.find(run.channel), await two.find(run.channel, run.id)]) {
      same([found?.id, found?.format, found?.head, found?.hasEnded], [run.id, 'default', 0, false]);
      same([found!.leaseLeft > 0, found!.leaseLeft <= LONG_LEASE_MS], [true, true]);
    }
  });

  add('finds no run of another channel or with another id', async (one) => {
    const run = newRun();
    await one.begin(run);
    same(await one.find(freshChannel()), undefined);
    same(await one.find(freshChannel(), run.id), undefined);
    same(await one.find(run.channel, newRun().id), undefined);
  });

  add('has one active run in a channel, whoever begins', async (one, two) => {
    const { channel } = newRun();
    const runs = Array.from({ length: 10 }, () => newRun({ channel }));
    const answers = await Promise.all(runs.map((run, index) => (index % 2 ? one : two).begin(run)));
    same(new Set(answers.map(({ id }) => id)).size, 1);
    same(answers[0]!.channel, channel);
  });

  add('begins another run of a channel after the end of the first', async (one, two) => {
    const first = newRun();
    const second = newRun({ channel: first.channel });
    await one.begin(first);
    same(await one.append({ ...nameOf(first), after: 0, chunks: [END] }), 'appended');
    same((await two.begin(second)).id, second.id);
    same((await one.find(first.channel))?.id, second.id);
    same((await one.find(first.channel, first.id))?.hasEnded, true);
  });

  add('begins a run once, however often it is called', async (one) => {
    const run = newRun();
    await one.begin(run);
    await one.append({ ...nameOf(run), after: 0, chunks: numbered(3) });
    const again = await one.begin(run);
    same([again.id, again.head, again.hasEnded], [run.id, 3, false]);
    await one.end(nameOf(run), STOPPED, false);
    const late = await one.begin(run);
    same([late.id, late.head, late.hasEnded], [run.id, 5, true]);
  });

  add('gives the chunks back as they were, in order', async (one, two) => {
    const run = newRun();
    const chunks: RunChunk[] = [
      { data: 'plain' },
      { data: 'two\nlines\r\n and a € 😀', type: 'kind' },
      { data: '' },
      { data: '{"json":[1,2,"=+,\\"]}', type: 'a:b' },
      { data: 'x'.repeat(100_000) },
    ];
    await one.begin(run);
    same(await one.append({ ...nameOf(run), after: 0, chunks: chunks.slice(0, 2) }), 'appended');
    same(await one.append({ ...nameOf(run), after: 2, chunks: chunks.slice(2) }), 'appended');
    same(plain(await two.read(nameOf(run), 0, 100)), plain(chunks));
    same((await two.find(run.channel))?.head, 5);
  });

  add('reads pages, up to the end', async (one) => {
    const run = newRun();
    await one.begin(run);
    await one.append({ ...nameOf(run), after: 0, chunks: numbered(10) });
    await one.append({ ...nameOf(run), after: 10, chunks: [...numbered(5, 10), END] });
    same(plain(await one.read(nameOf(run), 0, 4)), plain(numbered(4)));
    same(plain(await one.read(nameOf(run), 8, 4)), plain(numbered(4, 8)));
    same(plain(await one.read(nameOf(run), 14, 100)), plain([...numbered(1, 14), END]));
    same(plain(await one.read(nameOf(run), 16, 100)), []);
  });

  add('has no chunks of a run that it does not know', async (one) => {
    const { channel, id } = newRun();
    same(await one.read({ channel, id }, 0, 10), undefined);
    same(await one.append({ channel, id, after: 0, chunks: numbered(1) }), 'gone');
    same(await one.append({ channel, id, after: 0, chunks: [] }), 'gone');
    same(await one.end({ channel, id }, STOPPED, false), false);
  });

  add('appends a chunk once, however often it is called', async (one) => {
    const run = newRun();
    await one.begin(run);
    const append = { ...nameOf(run), after: 0, chunks: numbered(3) };
    same(await one.append(append), 'appended');
    same(await one.append(append), 'appended');
    same(await one.append({ ...nameOf(run), after: 1, chunks: numbered(4, 1) }), 'appended');
    same(plain(await one.read(nameOf(run), 0, 100)), plain(numbered(5)));
    const last = { ...nameOf(run), after: 5, chunks: [END] };
    same(await one.append(last), 'appended');
    same(await one.append(last), 'appended');
    same(plain(await one.read(nameOf(run), 0, 100)), plain([...numbered(5), END]));
  });

  add('appends nothing after chunks that it does not have', async (one) => {
    const run = newRun();
    await one.begin(run);
    same(await one.append({ ...nameOf(run), after: 2, chunks: numbered(1) }), 'gone');
    same(plain(await one.read(nameOf(run), 0, 100)), []);
  });

  add('appends nothing after the end', async (one, two) => {
    const run = newRun();
    await one.begin(run);
    await one.append({ ...nameOf(run), after: 0, chunks: numbered(2) });
    same(await two.end(nameOf(run), STOPPED, false), true);
    same(await one.append({ ...nameOf(run), after: 2, chunks: numbered(3, 2) }), 'ended');
    same(await one.append({ ...nameOf(run), after: 2, chunks: [] }), 'ended');
    same(plain(await one.read(nameOf(run), 0, 100)), plain([...numbered(2), ...STOPPED]));
    same((await one.find(run.channel))?.hasEnded, true);
  });

  add('ends a run once, whoever ends it', async (one, two) => {
    const run = newRun();
    await one.begin(run);
    const ends = Array.from({ length: 6 }, (_, index) =>
      (index % 2 ? one : two).end(nameOf(run), STOPPED, false),
    );
    same(await Promise.all(ends), [true, true, true, true, true, true]);
    same(plain(await one.read(nameOf(run), 0, 100)), plain(STOPPED));
  });

  add('ends a run as lost only after its lease', async (one, two) => {
    const run = newRun({ lease: SHORT_LEASE_MS });
    await one.begin(run);
    const longer = newRun();
    await one.begin(longer);
    same(await two.end(nameOf(longer), STOPPED, true), false);
    await isOver(two, run);
    same(await two.end(nameOf(run), STOPPED, true), true);
    same(await one.append({ ...nameOf(run), after: 0, chunks: numbered(1) }), 'ended');
    same((await two.find(longer.channel))?.hasEnded, false);
  });

  add('renews the lease by each append', async (one, two) => {
    const run = newRun({ lease: SHORT_LEASE_MS });
    await one.begin(run);
    await isOver(two, run);
    same(await one.append({ ...nameOf(run), after: 0, chunks: [] }), 'appended');
    same((await one.find(run.channel))!.leaseLeft > 0, true);
    await isOver(two, run);
    same(await one.append({ ...nameOf(run), after: 0, chunks: numbered(1) }), 'appended');
    same((await one.find(run.channel))!.leaseLeft > 0, true);
  });

  add('forgets a run some time after its end, and no active one', async (one, two) => {
    const run = newRun({ keep: SHORT_LEASE_MS, lease: SHORT_LEASE_MS });
    await one.begin(run);
    await isOver(two, run);
    same((await two.find(run.channel))?.id, run.id);
    await one.append({ ...nameOf(run), after: 0, chunks: [...numbered(3), END] });
    await until(
      async () => (await two.find(run.channel, run.id)) === undefined,
      () => 'the run was kept',
      timeout,
    );
    same(await two.find(run.channel), undefined);
    same(await two.read(nameOf(run), 0, 10), undefined);
  });

  add('tells followers of each chunk, whoever appends', async (one, two) => {
    const run = newRun();
    await one.begin(run);
    const followers = [follower(one, run), follower(two, run)];
    await until(
      () => followers.every(({ wakes }) => wakes > 0),
      () => 'a follower was not called once the store listened',
      timeout,
    );
    for (let after = 0; after < 20; after += 2) {
      await one.append({ ...nameOf(run), after, chunks: numbered(2, after) });
    }
    await two.end(nameOf(run), STOPPED, false);
    const all = plain([...numbered(20), ...STOPPED]);
    for (const each of followers) {
      await until(
        () => each.head === 22,
        () => `${each.head} of 22 chunks came`,
        timeout,
      );
      same(plain(each.chunks), all);
      each.leave();
    }
  });

  add('calls no follower that has left', async (one) => {
    const run = newRun();
    await one.begin(run);
    const left = follower(one, run);
    const stays = follower(one, run);
    await until(
      () => stays.wakes > 0,
      () => 'a follower was not called once the store listened',
      timeout,
    );
    left.leave();
    await one.append({ ...nameOf(run), after: 0, chunks: numbered(3) });
    await until(
      () => stays.head === 3,
      () => `${stays.head} of 3 chunks came`,
      timeout,
    );
    same(left.head, 0);
    stays.leave();
  });

  async function isOver(store: RunStore, { channel, id }: NewRun): Promise<void> {
    await until(
      async () => (await store.find(channel, id))!.leaseLeft <= 0,
      () => 'the lease did not end',
      timeout,
    );
  }

  return tests;
}

let runs = 0;

function newRun(fields: Partial<NewRun> = {}): NewRun {
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

function nameOf({ channel, id }: NewRun): RunName {
  return { channel, id };
}

function numbered(count: number, from = 0): RunChunk[] {
  return Array.from({ length: count }, (_, index) => ({ data: `chunk ${from + index}` }));
}

/** Chunks for comparison: a store may leave fields out. */
function plain(chunks: readonly RunChunk[] | undefined): unknown {
  return chunks?.map(({ data, type, end = false }) => [data, type ?? '', end]);
}

/** One who follows a run as the package does, and reads what it has missed. */
function follower(store: RunStore, run: NewRun) {
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

function same(actual: unknown, expected: unknown): void {
  const [is, shouldBe] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== shouldBe) {
    throw new Error(`It is ${is}, and should be ${shouldBe}.`);
  }
}
