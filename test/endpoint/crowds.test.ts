import { Controller, Param, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { interval, map, merge, type Observable } from 'rxjs';
import { SseChannel, SseEvents, SseService, type SseEvent } from '../../lib/index.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { sized } from '../support/soak.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const CLIENTS = sized({ quick: 60, soak: 1_000 });
const EVENTS = sized({ quick: 100, soak: 2_000 });
const CYCLES = sized({ quick: 280, soak: 20_000 });

let reads = 0;

@Controller()
class CrowdController {
  private readonly clock: Observable<SseEvent>;

  constructor(sse: SseService) {
    this.clock = sse.poll(() => `${++reads}`, { interval: 5 });
  }

  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('keys/:key')
  @SseChannel('{key}', { source: 'cache', interval: 20 })
  key(@Param('key') _key: string) {}

  @Sse('both')
  @SseChannel(() => ['news', 'sport'])
  both() {}

  @Sse('handled')
  @SseChannel('news')
  handled(@SseEvents() events$: Observable<SseEvent>) {
    return merge(events$, interval(50).pipe(map((n) => ({ data: `tick ${n}` }))));
  }

  @Sse('clock')
  @SseChannel()
  time() {
    return this.clock;
  }
}

describe.each(ADAPTERS)('Crowds on %s', (adapter) => {
  let redis: TestRedis;

  beforeAll(async () => {
    redis = await createRedis();
  });

  afterAll(() => redis.drop());

  afterEach(closeApps);

  /** What of the expected events is missing, and what came more than once or in the wrong place. */
  const faults = (clients: readonly SseTestClient[], expected: readonly string[]) => {
    let lost = 0;
    let doubled = 0;
    let disordered = 0;
    for (const { events } of clients) {
      const data = events.map((event) => event.data);
      const seen = new Set(data);
      lost += expected.filter((each) => !seen.has(each)).length;
      doubled += data.length - seen.size;
      disordered += Number(data.join() !== expected.join());
    }
    return { lost, doubled, disordered };
  };

  it.each([
    ['a channel', '/news', false],
    ['two channels', '/both', false],
    ['a key in this process', '/keys/crowd', false],
    ['a key on Redis', '/keys/crowd', true],
  ])(`of ${CLIENTS} clients on %s see the same complete sequence`, async (_, path, onRedis) => {
    const { connect, sse } = await startApp({
      adapter,
      controllers: [CrowdController],
      options: onRedis ? { redis: redis.url } : {},
    });
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connect(path)));
    await until(() => clients.every(({ lastEventId }) => lastEventId));
    if (path.startsWith('/keys')) {
      expect(sse.stats()).toMatchObject({ readers: CLIENTS, polledKeys: 1, channels: 1 });
    }
    const expected = Array.from({ length: EVENTS }, (_, i) => `${i}`);
    for (const data of expected) {
      await (path.startsWith('/keys') ? sse.sendKey('crowd', data) : sse.send('news', data));
    }
    await until(() => clients.every(({ events }) => events.length >= EVENTS));
    expect(faults(clients, expected)).toEqual({ lost: 0, doubled: 0, disordered: 0 });
    const ids = new Set(clients.map(({ events }) => events.map(({ id }) => id).join()));
    expect(ids.size).toBe(1);
  });

  it(`leave nothing behind after ${CYCLES} connections`, async () => {
    const { app, connect, sse } = await startApp({
      adapter,
      controllers: [CrowdController],
      options: { linger: 50, heartbeat: 60_000 },
    });
    const paths = [
      '/news',
      '/both',
      '/handled',
      '/keys/a',
      '/clock',
      '/keys/b',
      '/news?lastEventId=x',
    ];
    const round = async (count: number) => {
      for (let i = 0; i < count; i += 20) {
        const clients = await Promise.all(
          Array.from({ length: 20 }, (_, j) => connect(paths[(i + j) % paths.length]!)),
        );
        await Promise.all(clients.map((client) => client.close()));
      }
      await until(() => {
        const { connections, readers, channels, polledKeys } = sse.stats();
        return connections + readers + channels + polledKeys === 0;
      });
    };
    const server = app.getHttpServer();
    const count = async () => {
      await until(
        () =>
          new Promise<boolean>((resolve) =>
            server.getConnections((_: unknown, left: number) => resolve(left === 0)),
          ),
      );
      await new Promise(setImmediate);
      const resources = process.getActiveResourcesInfo();
      return {
        timers: resources.filter((name) => name === 'Timeout' || name === 'Immediate').length,
        sockets: resources.filter((name) => name.startsWith('TCPSocket')).length,
        listeners: server
          .eventNames()
          .reduce((sum: number, name: string) => sum + server.listenerCount(name), 0),
        processListeners: process
          .eventNames()
          .reduce((sum, name) => sum + process.listenerCount(name as string), 0),
      };
    };
    await round(40);
    const before = await count();
    await round(CYCLES);
    // One of the application's timers may be due at this moment.
    await until(async () => (await count()).timers <= before.timers);
    const after = await count();
    expect(after.listeners).toBe(before.listeners);
    expect(after.processListeners).toBe(before.processListeners);
    expect(after.sockets).toBeLessThanOrEqual(before.sockets);
    const polled = reads;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(reads).toBe(polled);
  });
});
