import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SYSTEMS, type System } from '../once/systems.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ChatsController } from './chats.js';

const COUNT = 20;
const CHUNKS = Array.from({ length: 5 }, (_, nth) => `chunk ${nth + 1}`);

describe.each(Object.keys(SYSTEMS))('The channel of a run that has ended, by %s', (name) => {
  let system: System;
  beforeAll(async () => void (system = await SYSTEMS[name]!()));
  afterAll(() => system.stop());
  afterEach(closeApps);

  const start = () =>
    startApp({
      // Nothing of the test is dropped by it.
      options: { ...system.options, linger: 3_600_000, drainTimeout: 0 },
      controllers: [ChatsController],
    });

  it('goes with its last reader, and those who come later miss nothing', async () => {
    const app = await start();
    const { sse } = app;
    const ids: string[] = [];
    const ends: Promise<unknown>[] = [];
    for (let nth = 0; nth < COUNT; nth++) {
      let go = (): void => undefined;
      const waits = new Promise<void>((resolve) => (go = resolve));
      const run = await sse.run(`chat:${nth}`, async function* () {
        yield CHUNKS[0]!;
        await waits;
        yield* CHUNKS.slice(1);
      });
      ids.push(run.id);
      const clients = [await app.connect(`/chats/${nth}`), await app.connect(`/chats/${nth}`)];
      expect(sse.stats().channels).toBeGreaterThan(0);
      go();
      ends.push(run.done, ...clients.map((client) => client.closed));
    }
    await Promise.all(ends);
    await until(() => sse.stats().channels === 0);
    const late = ids.flatMap((id, nth) =>
      [0, 2, CHUNKS.length].map(async (after) => {
        const client = await app.connect(`/chats/${nth}?lastEventId=${id}.${after}`);
        await client.closed;
        expect(client.events.map(({ data }) => data)).toEqual([...CHUNKS.slice(after), '[DONE]']);
      }),
    );
    await Promise.all(late);
    await until(() => sse.stats().channels === 0);
  });

  it('stays for others, and while the run is active', async () => {
    const app = await start();
    const { sse } = app;
    let go = (): void => undefined;
    const waits = new Promise<void>((resolve) => (go = resolve));
    const run = await sse.run('chat:stays', async function* () {
      yield 'one';
      await waits;
      yield 'two';
    });
    const [first, second] = [await app.connect('/chats/stays'), await app.connect('/chats/stays')];
    // The store has the chunk that the client will name.
    await until(() => [first, second].every(({ events }) => events.length === 1));
    await first.close();
    await until(() => sse.stats().connections === 1);
    await second.close();
    await until(() => sse.stats().connections === 0);
    // The timer that drops a channel at once would have come before this one.
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(sse.stats().channels).toBe(1);
    const returned = await app.connect(`/chats/stays?lastEventId=${run.id}.1`);
    go();
    await returned.closed;
    expect(returned.events.map(({ data }) => data)).toEqual(['two', '[DONE]']);
    await until(() => sse.stats().channels === 0);
  });
});
