import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { NewRun, RunChunk, RunRecord, RunStore } from '../../lib/channel/runs.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { RunRecorder } from './store-writer.js';
import { STORES, type StoreSubject } from './store-subjects.js';

let tests = 0;

/** A run of the test's own channel, unless `more` says so. */
const run = (id: string, more: Partial<NewRun> = {}): NewRun => ({
  channel: `chat:${tests}`,
  id,
  format: 'default',
  lease: 60_000,
  keep: 60_000,
  ...more,
});

const chunks = (from: number, to: number): readonly RunChunk[] =>
  Array.from({ length: to - from + 1 }, (_, nth) => ({ data: `chunk ${from + nth}` }));

const texts = (read: readonly RunChunk[] | undefined) => read?.map(({ data }) => data);

const DONE: readonly RunChunk[] = [{ data: '[DONE]', end: true }];

describe.each(Object.keys(STORES))('Runs of several instances by %s', (name) => {
  let subject: StoreSubject;

  beforeAll(async () => void (subject = await STORES[name]!()));
  beforeEach(() => void tests++);
  afterEach(() => subject.closeAll());
  afterAll(() => subject.stop());

  it('has one instance end a run whose lease is over', async () => {
    const stores = await Promise.all([1, 2, 3].map(() => subject.open()));
    const [owner] = stores as [RunStore];
    const short = run('a', { lease: 300 });
    await owner.begin(short);
    await owner.append({ ...short, after: 0, chunks: chunks(1, 1) });
    const found = async () => (await owner.find(short.channel)) as RunRecord;
    expect(await owner.end(short, [{ data: 'lost' }], true)).toBe(false);
    await until(async () => (await found()).leaseLeft <= 0);
    // It is still active, and an append would renew the lease.
    expect(await stores[1]!.begin(run('b'))).toMatchObject({ id: 'a', hasEnded: false });
    expect(await owner.append({ ...short, after: 1, chunks: [] })).toBe('appended');
    expect((await found()).leaseLeft).toBeGreaterThan(0);
    await until(async () => (await found()).leaseLeft <= 0);
    const ends = stores.map((store, nth) => store.end(short, [{ data: `lost ${nth}` }], true));
    expect(await Promise.all(ends)).toEqual([true, true, true]);
    expect(await owner.append({ ...short, after: 1, chunks: chunks(2, 2) })).toBe('ended');
    expect(await owner.find(short.channel)).toMatchObject({ head: 2, hasEnded: true });
  });

  it('gives every text back as it was', async () => {
    const store = await subject.open();
    await store.begin(run('a', { format: 'ü "\u2028' }));
    expect(await store.find(run('a').channel)).toMatchObject({ format: 'ü "\u2028' });
    const odd: readonly RunChunk[] = [
      { data: '' },
      { data: 'a\r\nb\0c\u2028', type: 'ü"' },
      { data: '\ud83d', type: '' },
      { data: '[1,"2"] 📦 \\u0041' },
      { data: 'x'.repeat(600_000) },
      { data: 'y'.repeat(600_000), end: true },
    ];
    const recorder = new RunRecorder(store, run('a'));
    expect(await store.append({ ...run('a'), after: 0, chunks: odd })).toBe('appended');
    const expected = odd.map(({ data, type, end = false }) => ({ data, type, end }));
    const shown = (found: readonly RunChunk[]) =>
      found.map(({ data, type, end = false }) => ({ data, type, end }));
    expect(shown((await store.read(run('a'), 0, 6))!)).toEqual(expected);
    expect(shown((await store.read(run('a'), 4, 1))!)).toEqual(expected.slice(4, 5));
    await until(() => recorder.chunks.length === odd.length);
    expect(shown(recorder.chunks)).toEqual(expected);
    recorder.stop();
  });

  it('tells followers on all instances of chunks as they come', async () => {
    const [here, there] = [await subject.open(), await subject.open()];
    const most = 100;
    await here.begin(run('a'));
    await here.append({ ...run('a'), after: 0, chunks: chunks(1, 1) });
    const followers = [here, there, there].map((store) => new RunRecorder(store, run('a')));
    await until(() => followers.every(({ chunks: received }) => received.length === 1));
    const late = new RunRecorder(there, run('a'));
    for (let head = 1; head < most; head++) {
      await here.append({ ...run('a'), after: head, chunks: chunks(head + 1, head + 1) });
    }
    await there.end(run('a'), DONE, false);
    const all = [...followers, late];
    await until(() => all.every(({ chunks: received }) => received.length === most + 1));
    for (const { chunks: received } of all) {
      expect(texts(received)).toEqual([...texts(chunks(1, most))!, '[DONE]']);
    }
    late.stop();
    late.stop();
    await here.begin(run('b'));
    const [next, ended] = [new RunRecorder(there, run('b')), new RunRecorder(there, run('b'))];
    ended.stop();
    await here.append({ ...run('b'), after: 0, chunks: chunks(1, 1) });
    await until(() => next.chunks.length === 1);
    expect(ended.chunks).toEqual([]);
  });

  it('begins one of two runs that start at once, every time', async () => {
    const stores = [await subject.open(), await subject.open()];
    const times = sized({ quick: 200, soak: 1_000 });
    const beginTwo = async (nth: number): Promise<void> => {
      const channel = `chat:${tests}:${nth}`;
      const ids = stores.map((_store, who) => `${nth}-${who}`);
      const starts = stores.map((store, who) => store.begin(run(ids[who]!, { channel })));
      const begun = (await Promise.all(starts)).map(({ id }) => id);
      expect(ids).toContain(begun[0]);
      expect(begun).toEqual([begun[0], begun[0]]);
      expect(await stores[0]!.find(channel)).toMatchObject({ id: begun[0], hasEnded: false });
    };
    // Not all at once: a store waits only so long for a connection of the pool.
    for (let first = 0; first < times; first += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, nth) => beginTwo(first + nth)));
    }
  });

  it('appends to many runs in one turn', async () => {
    const [here, there] = [await subject.open(), await subject.open()];
    const names = Array.from({ length: 200 }, (_, nth) =>
      run('a', { channel: `chat:${tests}:${nth}` }),
    );
    await Promise.all(names.map((each) => here.begin(each)));
    await here.end(names[7]!, DONE, false);
    const results = await Promise.all(
      names.map((each) => here.append({ ...each, after: 0, chunks: chunks(1, 3) })),
    );
    const gone = await here.append({ ...run('none'), after: 0, chunks: chunks(1, 3) });
    expect(results.filter((result) => result === 'appended')).toHaveLength(199);
    expect([results[7], gone]).toEqual(['ended', 'gone']);
    expect(texts(await there.read(names[199]!, 0, 10))).toEqual(texts(chunks(1, 3)));
  });
});
