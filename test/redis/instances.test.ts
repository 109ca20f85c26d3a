import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Sse } from '@nestjs/common';
import { SseChannel } from '../../lib/index.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { endAppProcesses, startAppProcess } from './app-process.js';
import { count, instance, NONE, stopInstances } from './instances.js';
import { startLoad } from './load.js';
import { ReturningClient } from './returning-client.js';

@Controller()
class EventsController {
  @Sse('events/:channel')
  @SseChannel('{channel}')
  events(): void {
    // The channel is all there is to it.
  }
}

let redis: TestRedis;

beforeAll(async () => {
  redis = await createRedis();
});

afterEach(async () => {
  await closeApps();
  await stopInstances();
  await endAppProcesses();
});

afterAll(async () => {
  await redis.drop();
});

function start(): Promise<TestApp> {
  return startApp({
    controllers: [EventsController],
    options: {
      redis: redis.url,
      broker: 'redis',
      drainTimeout: 100,
      redisStreams: { prefix: redis.keyPrefix },
    },
  });
}

describe('Clients of several instances', () => {
  it('receive what any instance sends, under the same ids', async () => {
    const [one, two] = [await start(), await start()];
    const clients = [await one.connect('/events/all'), await two.connect('/events/all')];
    const id = await one.sse.send('all', { n: 1 }, { type: 'count' });
    const own = await two.sse.send('all', 'two', { id: 'my own' });
    for (const client of clients) {
      const [first, second] = await client.take(2);
      expect(first).toMatchObject({ id, type: 'count', data: '{"n":1}' });
      expect(second).toMatchObject({ id: 'my own', data: 'two' });
    }
    expect(own).toMatch(/^\d+-\d+$/);
  });

  it('resume on another instance, by position or by an id of the publisher', async () => {
    const [one, two] = [await start(), await start()];
    const client = await one.connect('/events/moved');
    await one.sse.send('moved', 'a');
    await client.take(1);
    await client.close();
    await one.sse.send('moved', 'b', { id: 'mine' });
    await one.sse.send('moved', 'c');
    const moved = await two.connect('/events/moved', { lastEventId: client.lastEventId });
    expect((await moved.take(2)).map(({ data }) => data)).toEqual(['b', 'c']);
    const own = await two.connect('/events/moved', { lastEventId: 'mine' });
    expect(await own.next()).toMatchObject({ data: 'c' });
    await two.sse.send('moved', 'd');
    expect(await moved.next()).toMatchObject({ data: 'd' });
    expect(await own.next()).toMatchObject({ data: 'd' });
  });

  it('lose nothing when they change the instance before their first event', async () => {
    const [one, two] = [await start(), await start()];
    const client = await one.connect('/events/empty');
    await until(() => client.lastEventId !== '');
    await client.close();
    await one.sse.send('empty', 'while away');
    const back = await two.connect('/events/empty', { lastEventId: client.lastEventId });
    expect(await back.next()).toMatchObject({ data: 'while away' });
  });

  it('all end with the run, and do not return to it', async () => {
    const [one, two] = [await start(), await start()];
    const clients = [await one.connect('/events/run'), await two.connect('/events/run')];
    await two.sse.complete('run');
    for (const client of clients) {
      expect(await client.next()).toMatchObject({ data: '[DONE]' });
      expect(await client.closed).toEqual({ by: 'server' });
    }
    const again = await start();
    const back = await again.connect('/events/run', { lastEventId: clients[0]!.lastEventId });
    expect(back.opened.status).toBe(204);
    const fresh = await again.connect('/events/run');
    await one.sse.send('run', 'next run');
    expect(await fresh.next()).toMatchObject({ data: 'next run' });
  });

  it('read all retained events with `earliest`, then live ones', async () => {
    const [one, two] = [await start(), await start()];
    await Promise.all(Array.from({ length: 700 }, (_, n) => one.sse.send('long', `${n}`)));
    const client = await two.connect('/events/long', { lastEventId: 'earliest' });
    await one.sse.send('long', 'live');
    const events = await client.take(701);
    const sent = [...Array.from({ length: 700 }, (_, n) => `${n}`), 'live'];
    expect(
      count(
        sent,
        events.map(({ data }) => data),
      ),
    ).toEqual(NONE);
  });

  it('notice nothing of a rolling restart of three instances under load', async () => {
    const apps = [await start(), await start(), await start()];
    const publisher = await instance(redis.url, {
      prefix: redis.keyPrefix,
      retain: { events: 50_000 },
    });
    const channels = ['roll a', 'roll b'];
    let turn = 0;
    const clients = Array.from({ length: 20 }, (_, n) => {
      const path = `/events/${encodeURIComponent(channels[n % 2]!)}`;
      return new ReturningClient(() => apps[turn++ % apps.length]!.url + path);
    });
    await until(() => clients.every((client) => client.isOpen));
    const load = startLoad(() => [publisher], ['roll%20a', 'roll%20b']);
    for (let round = 0; round < sized({ quick: 1, soak: 10 }); round++) {
      for (let n = 0; n < apps.length; n++) {
        const { sent } = load;
        await until(() => load.sent > sent + 200);
        const before = apps[n]!;
        apps[n] = await start();
        await before.close();
      }
    }
    await load.stop();
    for (const [n, client] of clients.entries()) {
      const accepted = load.accepted(n % 2 ? 'roll%20b' : 'roll%20a');
      const last = accepted.at(-1)!;
      await until(() => client.received.at(-1) === last);
      expect(count(accepted, client.received)).toEqual(NONE);
      expect(client.resets).toEqual([]);
    }
    // Each has lost its instance: all three were replaced.
    expect(clients.filter((client) => client.returns === 0)).toEqual([]);
    await Promise.all(clients.map((client) => client.close()));
  });

  it('resume on another instance when theirs is killed', async () => {
    const instances = [await startAppProcess(redis.url), await startAppProcess(redis.url)];
    const publisher = await instance(redis.url, { retain: { events: 50_000 } });
    let turn = 0;
    const clients = Array.from({ length: sized({ quick: 6, soak: 20 }) }, () => {
      return new ReturningClient(
        () => `${instances[turn++ % instances.length]!.url}/events/killed`,
      );
    });
    await until(() => clients.every((client) => client.isOpen));
    const load = startLoad(() => [publisher], ['killed']);
    for (let round = 0; round < sized({ quick: 2, soak: 10 }); round++) {
      const { sent } = load;
      await until(() => load.sent > sent + 200);
      await instances[round % 2]!.end('SIGKILL');
      instances[round % 2] = await startAppProcess(redis.url);
      // Those that have lost it come back, to either.
      await until(() => clients.every((client) => client.isOpen));
    }
    await load.stop();
    const accepted = load.accepted('killed');
    for (const client of clients) {
      await until(() => client.received.at(-1) === accepted.at(-1));
      expect(count(accepted, client.received)).toEqual(NONE);
      expect(client.resets).toEqual([]);
    }
    // Each has lost its instance: both were killed.
    expect(clients.filter((client) => client.returns === 0)).toEqual([]);
    await Promise.all(clients.map((client) => client.close()));
  });
});
