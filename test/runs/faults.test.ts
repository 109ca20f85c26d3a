import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SseError, SseModuleOptions } from '../../lib/index.js';
import { SseTestClient } from '../../lib/testing/index.js';
import { SYSTEMS, type System } from '../presence/systems.js';
import { endAppProcesses, startAppProcess } from '../redis/app-process.js';
import { bundled } from '../support/compiled.js';
import { startRedis } from '../support/redis.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ChatsController, type Emitted } from './chats.js';
import { whole } from './store-writer.js';

/** What a client has received: the data, behind the type of events that have one. */
const received = ({ events }: SseTestClient): readonly string[] =>
  events
    .filter(({ type }) => type !== 'sse:open')
    .map(({ type, data }) => (type === 'message' ? data : `${type} ${data}`));

const isOver = (client: SseTestClient): boolean => received(client).at(-1) === '[DONE]';

const LOST = 'sse:error {"reason":"lost"';

/** Expects the first chunks of a run, and then an end of two events. */
function expectCut(texts: readonly string[], end: string): void {
  const count = texts.length - 2;
  expect(texts.slice(0, count)).toEqual(whole(count).slice(0, count));
  expect(texts.slice(count)).toEqual([expect.stringContaining(end), '[DONE]']);
}

const get = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>;

const opened = new Set<SseTestClient>();

async function follow(url: string, id: string): Promise<SseTestClient> {
  const client = await SseTestClient.connect(`${url}/chats/${id}`);
  opened.add(client);
  return client;
}

async function stopAll(): Promise<void> {
  await Promise.all([...opened].map((client) => client.close()));
  opened.clear();
  await closeApps();
  await endAppProcesses();
}

describe.each(Object.keys(SYSTEMS))('Runs through faults by %s', (name) => {
  let system: System;
  let tests = 0;

  beforeAll(async () => void (system = await SYSTEMS[name]!()));
  afterEach(async () => {
    tests++;
    system.proxy.accept();
    system.proxy.thaw();
    await stopAll();
  });
  afterAll(() => system.stop());

  const optionsOf = (proxied = false): SseModuleOptions => ({
    ...system.options(`runs ${name} ${tests}`, proxied),
    drainTimeout: 100,
  });

  const start = (proxied = false) =>
    startApp({
      controllers: [ChatsController],
      options: { ...optionsOf(proxied), failFast: true },
    });

  it('has one of two runs that two instances begin at once', async () => {
    const apps = [await start(), await start()];
    const times = sized({ quick: 100, soak: 1_000 });
    const outcomes: string[] = [];
    while (outcomes.length < times) {
      const round = Array.from({ length: 50 }, async (_, nth) => {
        const channel = `chat:${outcomes.length + nth}`;
        const runs = apps.map(({ sse }) => sse.run(channel, () => endless()));
        const settled = await Promise.allSettled(runs);
        return settled
          .map((run) => (run.status === 'fulfilled' ? 'runs' : outcomeOf(run.reason as SseError)))
          .toSorted()
          .join(' ');
      });
      outcomes.push(...(await Promise.all(round)));
    }
    expect(outcomes.filter((each) => each !== 'RUN_ACTIVE runs')).toEqual([]);
  });

  it('is stopped from another instance, and has no chunk after', async () => {
    const [one, two] = [await start(), await start()];
    const ids = Array.from({ length: sized({ quick: 20, soak: 100 }) }, (_, nth) => `${nth}`);
    await Promise.all(
      ids.map((id) =>
        get(`${one.url}/begin/${id}?count=1000000&every=${sized({ quick: 5, soak: 200 })}`),
      ),
    );
    const clients = await Promise.all(ids.map((id) => follow(two.url, id)));
    await until(() => clients.every((client) => received(client).length > 3));
    const stops = await Promise.all(ids.map((id) => two.sse.stop(`chat:${id}`)));
    expect(stops).toEqual(ids.map(() => true));
    const emitted = () => Promise.all(ids.map((id) => get<Emitted>(`${one.url}/emitted/${id}`)));
    await until(async () => (await emitted()).every(({ isAborted }) => isAborted));
    await until(() => clients.every(isOver));
    for (const [nth, client] of clients.entries()) {
      expectCut(received(client), 'sse:stopped');
      // Whoever comes later reads the same.
      const again = await one.sse.stop(`chat:${ids[nth]}`);
      expect(again).toBe(false);
    }
    expect(await two.sse.stop('chat:none')).toBe(false);
  });

  it('is lost once when its instance is frozen, which appends nothing more, or killed', async () => {
    const here = [await start(), await start()];
    const there = await startAppProcess('', { SSE_OPTIONS: JSON.stringify(optionsOf()) }, [
      bundled('test/runs/app.ts'),
    ]);
    const { pid } = await get<{ pid: number }>(`${there.url}/about`);
    const begin = (id: string) =>
      get(`${there.url}/begin/${id}?count=1000000&lease=${sized({ quick: 1_500, soak: 10_000 })}`);
    const followAll = (ids: readonly string[]) =>
      Promise.all(ids.flatMap((id) => here.map(({ url }) => follow(url, id))));
    const ids = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(ids.map(begin));
    const clients = await followAll(ids);
    await until(() => clients.every((client) => received(client).length > 3));
    process.kill(pid, 'SIGSTOP');
    try {
      await until(() => clients.every(isOver));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    clients.forEach((client) => expectCut(received(client), LOST));
    // It finds out, and goes on with others.
    await until(async () => (await get<Emitted>(`${there.url}/emitted/a`)).isAborted);
    await Promise.all(['f', 'g'].map(begin));
    const others = await followAll(['f', 'g']);
    await until(() => others.every((client) => received(client).length > 3));
    await there.end('SIGKILL');
    await until(() => others.every(isOver));
    others.forEach((client) => expectCut(received(client), LOST));
    // Both instances have the same, with one end.
    for (const [nth, client] of [...clients, ...others].entries()) {
      const id = [...ids, 'f', 'g'][nth >> 1];
      const last = client.events.at(-3)!.id!;
      const back = await SseTestClient.connect(`${here[nth % 2]!.url}/chats/${id}`, {
        lastEventId: last,
      });
      opened.add(back);
      await until(() => isOver(back));
      expect(received(back)).toEqual(received(client).slice(-2));
    }
  });

  it('is lost when the system is away for longer than the lease, and its source is aborted', async () => {
    const apps = [await start(true), await start(true)];
    await get(`${apps[0]!.url}/begin/a?count=1000000&lease=1000`);
    const clients = await Promise.all(apps.map(({ url }) => follow(url, 'a')));
    await until(() => clients.every((client) => received(client).length > 3));
    system.proxy.refuse();
    system.proxy.cut();
    await until(async () => (await get<Emitted>(`${apps[0]!.url}/emitted/a`)).isAborted);
    system.proxy.accept();
    await until(() => clients.every(isOver));
    clients.forEach((client) => expectCut(received(client), LOST));
    expect(received(clients[0]!)).toEqual(received(clients[1]!));
  });

  it('has its lease from its beginning, though the system was away for longer before', async () => {
    const { sse } = await start(true);
    system.proxy.refuse();
    system.proxy.cut();
    const begins = sse.run('chat:late', () => endless(), { lease: 1_000 });
    await sleep(1_100);
    system.proxy.accept();
    const run = await begins;
    await sse.stop('chat:late');
    expect(await run.done).toMatchObject({ reason: 'stopped' });
  });

  it('leaves no run behind that was about to begin when its instance was shut down', async () => {
    const [one, two] = [await start(), await start()];
    let reads = 0;
    const ids = Array.from({ length: 10 }, (_, nth) => `chat:${nth}`);
    const begins = ids.map((id) => one.sse.run(id, (signal) => (reads++, endless(signal))));
    await one.app.close();
    const begun = await Promise.allSettled(begins);
    for (const outcome of begun) {
      if (outcome.status === 'fulfilled') {
        expect(await outcome.value.done).toMatchObject({ reason: 'shutdown' });
      } else {
        expect(outcome.reason).toMatchObject({ code: 'CLOSED' });
      }
    }
    expect(reads).toBe(begun.filter(({ status }) => status === 'fulfilled').length);
    // The channels are free at once.
    await Promise.all(ids.map((id) => two.sse.run(id, () => endless())));
  });

  it('brings each chunk once, in order, while the connections of all are cut again and again', async () => {
    const apps = [await start(true), await start(true), await start()];
    const count = sized({ quick: 300, soak: 5_000 });
    const ids = Array.from({ length: 9 }, (_, nth) => `${nth}`);
    await Promise.all(
      ids.map((id, nth) => get(`${apps[nth % 3]!.url}/begin/${id}?count=${count}&lease=60000`)),
    );
    const clients = await Promise.all(ids.flatMap((id) => apps.map(({ url }) => follow(url, id))));
    for (let cuts = 0; cuts < sized({ quick: 8, soak: 300 }); cuts++) {
      await sleep(100);
      system.proxy.cut();
      if (cuts % 3 === 0) {
        // The system is away for a moment.
        system.proxy.refuse();
        await sleep(150);
        system.proxy.accept();
      }
      if (cuts % 20 === 19) {
        // A run is lost that cannot append for as long as its lease, which a busy machine may bring about.
        const before = clients.map((client) => received(client).length);
        await until(
          () => clients.every((each, nth) => isOver(each) || received(each).length > before[nth]!),
          { what: 'a chunk of each run between the cuts' },
        );
      }
    }
    await until(() => clients.every(isOver), { deadline: sized({ quick: 30_000, soak: 300_000 }) });
    for (const client of clients) {
      const texts = received(client);
      expect([texts.length, texts.at(-2)]).toEqual([count + 1, whole(count).at(-2)]);
      expect(texts).toEqual(whole(count));
    }
  });
});

describe('Runs on a Redis that is started again', () => {
  afterEach(stopAll);

  const start = (redis: string) =>
    startApp({
      controllers: [ChatsController],
      options: { broker: 'redis', redis, drainTimeout: 100, failFast: true },
    });

  it('go on with its data, and are lost without', async () => {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    try {
      const apps = [await start(redis.url), await start(redis.url)];
      const [count, ids] = [200, ['a', 'b', 'c']];
      await Promise.all(ids.map((id) => get(`${apps[0]!.url}/begin/${id}?count=${count}`)));
      const clients = await Promise.all(
        ids.flatMap((id) => apps.map(({ url }) => follow(url, id))),
      );
      await until(() => clients.every((client) => received(client).length > 20));
      await redis.kill();
      await redis.start();
      await until(() => clients.every(isOver));
      expect(clients.map(received)).toEqual(clients.map(() => whole(count)));

      await get(`${apps[0]!.url}/begin/a?count=1000000`);
      const followers = await Promise.all(apps.map(({ url }) => follow(url, 'a')));
      await until(() => followers.every((client) => received(client).length > 20));
      const { port } = redis;
      await redis.stop();
      const empty = await startRedis({ port });
      try {
        await until(() => followers.every(isOver));
        followers.forEach((client) => expectCut(received(client), LOST));
        const emitted = () => get<Emitted>(`${apps[0]!.url}/emitted/a`);
        await until(async () => (await emitted()).isAborted);
        await stopAll();
      } finally {
        await empty.stop();
      }
    } finally {
      await stopAll();
      await redis.stop();
    }
  });
});

/** The error's code, with the reason where the code is not the one that a test expects. */
function outcomeOf({ code, message }: SseError): string {
  return code === 'RUN_ACTIVE' ? code : `${code}: ${message}`;
}

async function* endless(signal?: AbortSignal): AsyncGenerator<string> {
  while (!signal?.aborted) {
    yield 'chunk';
    await sleep(1_000, undefined, { ref: false });
  }
}
