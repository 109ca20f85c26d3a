import { afterEach, describe, expect, it } from '@jest/globals';
import type { Broker, OnChunks, RunName } from '../../lib/index.js';
import { MemoryRuns } from '../../lib/sources/memory/memory-runs.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ChatsController } from './chats.js';

/** A store whose news do not come, and that loses everything when a test wants it. */
class LosingRuns extends MemoryRuns {
  private isEmpty = false;
  /** Holds the next answer to a reader back. */
  gate: Promise<void> | undefined;
  reads = 0;

  override async find(...args: Parameters<MemoryRuns['find']>) {
    return this.isEmpty ? undefined : super.find(...args);
  }

  override async read(...args: Parameters<MemoryRuns['read']>) {
    const chunks = this.isEmpty ? undefined : await super.read(...args);
    this.reads++;
    await this.gate;
    return chunks;
  }

  /** Tells of chunks. */
  news!: OnChunks;

  override follow(_run: RunName, onChunks: OnChunks) {
    this.news = onChunks;
    return () => undefined;
  }

  override async close() {}

  lose(): void {
    this.isEmpty = true;
  }
}

const RUN = { channel: 'chat:a', id: 'run', format: 'default', lease: 400, keep: 60_000 };

const start = async (lease = RUN.lease) => {
  const store = new LosingRuns();
  const broker: Broker = {
    open: (_channel, sink) => (sink.live(), { close: () => undefined }),
    publish: () => Promise.resolve('1'),
    openRuns: () => store,
  };
  const { connect } = await startApp({
    controllers: [ChatsController],
    options: { drainTimeout: 0, broker },
  });
  await store.begin({ ...RUN, lease });
  await store.append({ ...RUN, after: 0, chunks: [{ data: 'one' }] });
  return { store, connect };
};

const textsOf = ({ events }: { events: readonly { type: string; data: string }[] }) =>
  events.filter(({ type }) => type !== 'sse:open').map(({ data }) => data);

const LOST = [expect.stringContaining('"reason":"lost"'), '[DONE]'];

afterEach(closeApps);

it('A client that has read on before the news came is told that the run is lost', async () => {
  const { store, connect } = await start();
  const early = await connect('/chats/a');
  await until(() => textsOf(early).length === 1);
  await store.append({ ...RUN, after: 1, chunks: [{ data: 'two' }, { data: 'three' }] });
  const late = await connect('/chats/a');
  await until(() => textsOf(late).length === 3);
  store.lose();
  for (const client of [early, late]) await until(() => textsOf(client).includes('[DONE]'));
  expect(textsOf(early)).toEqual(['one', ...LOST]);
  expect(textsOf(late)).toEqual(['one', 'two', 'three', ...LOST]);
});

it('A client whose answer the store gave before it lost the run is told so as well', async () => {
  const { store, connect } = await start();
  const early = await connect('/chats/a');
  await until(() => textsOf(early).length === 1);
  await store.append({ ...RUN, after: 1, chunks: [{ data: 'two' }] });
  let open!: () => void;
  store.gate = new Promise((resolve) => (open = resolve));
  const before = store.reads;
  const late = connect('/chats/a');
  await until(() => store.reads > before);
  store.lose();
  await until(() => textsOf(early).includes('[DONE]'));
  open();
  const client = await late;
  await until(() => textsOf(client).includes('[DONE]'));
  expect(textsOf(client)).toEqual(['one', ...LOST]);
});

describe('A client that has a chunk which a promoted replica lacks', () => {
  const [TWO, THREE] = [{ data: 'two' }, { data: 'three' }] as const;
  const DONE = { data: '[DONE]', end: true };

  const startAhead = async () => {
    const { store, connect } = await start(60_000);
    const client = await connect('/chats/a');
    await until(() => textsOf(client).length === 1);
    store.news(1, [TWO, THREE]);
    await until(() => textsOf(client).length === 3);
    for (let looks = 0; looks < 3; looks++) {
      const { reads } = store;
      store.news();
      await until(() => store.reads > reads);
    }
    return { store, client };
  };

  it.each(['by a message', 'by a look'])(
    'has the rest once the replica has it, %s',
    async (how) => {
      const { store, client } = await startAhead();
      await store.append({ ...RUN, after: 1, chunks: [TWO] });
      await store.append({ ...RUN, after: 2, chunks: [THREE, DONE] });
      if (how === 'by a look') {
        store.news();
      } else {
        store.news(1, [TWO]);
        store.news(2, [THREE, DONE]);
      }
      await until(() => textsOf(client).includes('[DONE]'));
      expect(textsOf(client)).toEqual(['one', 'two', 'three', '[DONE]']);
    },
  );

  it.each(['by a message', 'by a look'])('is told that the run is lost, %s', async (how) => {
    const { store, client } = await startAhead();
    const end = [
      { type: 'sse:error', data: '{"reason":"lost"}', ending: 1 },
      { ...DONE, ending: 2 },
    ];
    await store.end(RUN, end, false);
    if (how === 'by a look') {
      store.news();
    } else {
      store.news(1, end);
    }
    await until(() => textsOf(client).includes('[DONE]'));
    expect(textsOf(client)).toEqual(['one', 'two', 'three', ...LOST]);
  });
});
