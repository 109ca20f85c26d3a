import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OnChunks, OwnRunStore } from '../../lib/channel/runs.js';
import { MemoryRuns } from '../../lib/sources/memory/memory-runs.js';
import { until } from '../support/until.js';
import { STORES, type StoreSubject } from './store-subjects.js';
import { RunRecorder } from './store-writer.js';

const KINDS: Record<string, () => Promise<Pick<StoreSubject, 'open' | 'closeAll' | 'stop'>>> = {
  async memory() {
    const store = new MemoryRuns();
    return { open: async () => store, closeAll: () => store.close(), stop: async () => undefined };
  },
  redis: STORES['redis']!,
};

describe.each(Object.keys(KINDS))('The instance of a run, with %s,', (name) => {
  let subject: Awaited<ReturnType<(typeof KINDS)[string]>>;
  beforeAll(async () => void (subject = await KINDS[name]!()));
  afterAll(async () => {
    await subject.closeAll();
    await subject.stop();
  });

  it('hears of the end that another instance brings, and of no chunk of its own', async () => {
    const [here, there] = [(await subject.open()) as OwnRunStore, await subject.open()];
    const run = { channel: 'chat', id: 'a', format: 'default', lease: 60_000, keep: 60_000 };
    await here.begin(run);
    const heard: Parameters<OnChunks>[] = [];
    const left: Parameters<OnChunks>[] = [];
    here.followEnd!(run, (...args) => heard.push(args));
    const leave = here.followEnd!(run, (...args) => left.push(args));
    // It may have missed the end before it listened.
    await until(() => heard.length > 0 && left.length > 0);
    leave();
    const recorder = new RunRecorder(here, run);
    for (let after = 0; after < 10; after++) {
      await here.append({ ...run, after, chunks: [{ data: `chunk ${after + 1}` }] });
    }
    await until(() => recorder.chunks.length === 10);
    expect(heard.every(([after]) => after === undefined)).toBe(true);
    expect(await there.end(run, [{ data: '[DONE]', end: true }], false)).toBe(true);
    await until(() => recorder.chunks.length === 11 && heard.at(-1)![0] !== undefined);
    expect(heard.at(-1)).toEqual([10, [{ data: '[DONE]', end: true }]]);
    expect(left.every(([after]) => after === undefined)).toBe(true);
    recorder.stop();
  });
});
