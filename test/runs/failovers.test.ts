import { afterEach, describe, expect, it } from '@jest/globals';
import { FAILOVER_SYSTEMS, type FailoverSystem } from '../presence/failover-systems.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { ChatsController, type Emitted } from './chats.js';
import { whole } from './store-writer.js';

/** In a Cluster some are on each node. */
const IDS = Array.from({ length: 9 }, (_, nth) => `${nth}`);
const COUNT = 400;

const LOST = 'sse:error {"reason":"lost"';

/** What a client has received: the data, behind the type of events that have one. */
const received = ({ events }: SseTestClient): readonly string[] =>
  events.map(({ type, data }) => (type === 'message' ? data : `${type} ${data}`));

const isOver = (client: SseTestClient): boolean => received(client).at(-1) === '[DONE]';

/** How a client has seen a run end: as a whole, or lost after the first chunks. */
function endOf(client: SseTestClient): string {
  const texts = received(client);
  const [last] = texts.slice(-2);
  const isLost = last!.startsWith(LOST);
  const chunks = isLost ? texts.length - 2 : COUNT;
  expect(texts.slice(0, chunks)).toEqual(whole(COUNT).slice(0, chunks));
  expect(texts.length).toBe(chunks + (isLost ? 2 : 1));
  return isLost ? 'lost' : 'whole';
}

const get = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>;

/** The list of instances is that of presence. */
const SYSTEMS = Object.keys(FAILOVER_SYSTEMS).filter((name) => !name.includes('instances'));

describe.each(SYSTEMS)('Runs through a failover of %s', (name) => {
  let system: FailoverSystem;

  afterEach(async () => {
    await closeApps();
    await system.stop();
  });

  const start = () =>
    startApp({
      controllers: [ChatsController],
      options: { ...system.options(), failFast: true, drainTimeout: 100 },
    });

  it.each([
    ['keeps all', false],
    ['loses chunks', true],
  ])('that %s: each goes on or is lost, once, for all who follow it', async (_, isLossy) => {
    system = await FAILOVER_SYSTEMS[name]!();
    const apps = [await start(), await start()] as const;
    const ownerOf = (nth: number): TestApp => apps[nth % 2]!;
    const begin = (id: string, nth: number, count: number) =>
      fetch(`${ownerOf(nth).url}/begin/${id}?count=${count}&every=10&lease=15000`);
    await Promise.all(IDS.map((id, nth) => begin(id, nth, COUNT)));
    const follow = (id: string) =>
      Promise.all(apps.map((app) => app.connect(`/chats/${id}`, { deadline: 60_000 })));
    const followers = await Promise.all(IDS.map(follow));
    const clients = followers.flat();
    const haveMore = async () => {
      const counts = clients.map(({ events }) => events.length);
      await until(() => clients.every(({ events }, nth) => events.length > counts[nth]! + 20));
    };
    await haveMore();
    if (isLossy) {
      await system.lag();
      await haveMore();
    }
    expect(clients.some(isOver)).toBe(false);
    await system.failover();
    await until(() => clients.every(isOver), { deadline: 90_000 });
    const ends = followers.map((both) => both.map(endOf));
    console.log(`${name}: ${ends.map(([end]) => end).join(' ')}`);
    for (const [nth, [end, other]] of ends.entries()) {
      expect(other).toBe(end);
      const emitted = () => get<Emitted>(`${ownerOf(nth).url}/emitted/${IDS[nth]}`);
      if (end === 'lost') {
        await until(async () => (await emitted()).isAborted);
      } else {
        expect(await emitted()).toEqual({ count: COUNT, isAborted: false });
      }
    }
    if (isLossy) {
      expect(ends.flat()).toContain('lost');
    }
    // Nothing holds the channels.
    await Promise.all(
      IDS.map((id, nth) => until(async () => (await begin(id, nth + 1, 20)).ok, { every: 100 })),
    );
    const others = (await Promise.all(IDS.map(follow))).flat();
    await until(() => others.every(isOver));
    expect(others.map(received)).toEqual(others.map(() => whole(20)));
  });
});
