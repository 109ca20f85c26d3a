import { afterEach, describe, expect, it } from '@jest/globals';
import { BehaviorSubject } from 'rxjs';
import type { Broker } from '../../lib/index.js';
import { Runs } from '../../lib/runs/runs.js';
import { MemoryRuns } from '../../lib/sources/memory/memory-runs.js';
import { closeApps, startApp } from '../support/start-app.js';

/** A store whose answers about runs are on their way for as long as a test wants. */
class SlowRuns extends MemoryRuns {
  finds = 0;
  private held: Promise<void> | undefined;
  letGo!: (error?: Error) => void;

  override async find(...args: Parameters<MemoryRuns['find']>) {
    this.finds++;
    const answer = await super.find(...args);
    await this.held;
    return answer;
  }

  override async close() {}

  hold(): void {
    this.held = new Promise((resolve, reject) => {
      this.letGo = (error) => (error ? reject(error) : resolve());
    });
  }
}

const start = async () => {
  const store = new SlowRuns();
  const broker: Broker = {
    open: (_channel, sink) => (sink.live(), { close: () => undefined }),
    publish: () => Promise.resolve('1'),
    openRuns: () => store,
  };
  const { app, sse } = await startApp({ options: { drainTimeout: 0, broker } });
  return { store, sse, runs: app.get(Runs) };
};

const RUN = { channel: 'chat', id: 'run', format: 'default', lease: 60_000, keep: 60_000 };

describe('A client that comes while the answer to an earlier one is on its way', () => {
  afterEach(closeApps);

  it('follows a run that has begun meanwhile', async () => {
    const { store, sse, runs } = await start();
    store.hold();
    const early = runs.placeIn('chat', undefined);
    const run = await sse.run('chat', new BehaviorSubject('a'));
    const late = runs.placeIn('chat', undefined);
    store.letGo();
    expect(await early).toBeUndefined();
    expect(await late).toMatchObject({ position: `${run.id}.0` });
  });

  it('goes on where it was, though the run was shorter before', async () => {
    const { store, runs } = await start();
    await store.begin(RUN);
    await store.append({ ...RUN, after: 0, chunks: [{ data: 'a' }] });
    store.hold();
    const early = runs.placeIn('chat', 'run.1');
    // Another instance brings them the chunk, and then they come here.
    await store.append({ ...RUN, after: 1, chunks: [{ data: 'b' }] });
    const late = Array.from({ length: 100 }, () => runs.placeIn('chat', 'run.2'));
    store.letGo();
    const places = await Promise.all([early, ...late]);
    expect(places.map((place) => place!.position)).toEqual(['run.1', ...late.map(() => 'run.2')]);
    // Those that come together share what is asked of the store.
    expect(store.finds).toBe(2);
  });

  it('hears of its failure, and the next one does not', async () => {
    const { store, runs } = await start();
    await store.begin(RUN);
    store.hold();
    const failed = ['run.0', 'run.0'].map((position) => runs.placeIn('chat', position));
    store.letGo(new RangeError('The answer cannot be read.'));
    for (const { status } of await Promise.allSettled(failed)) {
      expect(status).toBe('rejected');
    }
    store.hold();
    store.letGo();
    expect(await runs.placeIn('chat', 'run.0')).toMatchObject({ position: 'run.0' });
  });
});
