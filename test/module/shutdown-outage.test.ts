import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { settledWithin } from '../../lib/channel/deadline.js';
import { SseChannel, type SseModuleOptions } from '../../lib/index.js';
import {
  createDatabase,
  createRedis,
  type TestDatabase,
  type TestRedis,
} from '../support/databases.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class OutageController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('key')
  @SseChannel('key', { source: 'cache' })
  key() {}

  @Sse('rows')
  @SseChannel('rows', { source: 'postgres' })
  rows() {}
}

/** Long beyond `drainTimeout` and the moment that each service gets, and short before any hang. */
const DEADLINE_MS = 10_000;

describe('An application whose servers no longer answer', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  const proxies: TcpProxy[] = [];

  beforeAll(async () => {
    [redis, database] = await Promise.all([createRedis(), createDatabase()]);
  });

  afterEach(async () => {
    proxies.forEach((proxy) => proxy.thaw());
    await closeApps();
    await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  });

  afterAll(async () => {
    await Promise.all([redis.drop(), database.drop()]);
  });

  const behind = async (url: string): Promise<string> => {
    const proxy = await startProxy(url);
    proxies.push(proxy);
    return proxy.url(url);
  };

  const start = async (options: SseModuleOptions) =>
    startApp({
      controllers: [OutageController],
      options: {
        redis: await behind(redis.url),
        postgres: await behind(database.url),
        drainTimeout: 300,
        ...options,
      },
    });

  it.each(['redis', 'event-table', 'memory'] as const)(
    'closes with sends pending on the broker %s',
    async (broker) => {
      const app = await start({ broker, eventTable: { install: true } });
      const clients = await Promise.all(
        ['/events', '/key', '/rows'].map((path) => app.connect(path)),
      );
      await until(() => app.sse.stats().connections === 3);
      await app.sse.send('events', 'before');
      const { data } = await clients[0]!.next({ type: 'message' });
      expect(data).toBe('before');
      proxies.forEach((proxy) => proxy.freeze());
      const pending = Promise.allSettled([
        ...Array.from({ length: 20 }, (_, i) => app.sse.send('events', `${i}`)),
        app.sse.sendKey('key', 'value'),
        app.sse.notify('rows', 'row'),
      ]);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await settledWithin(app.app.close(), DEADLINE_MS)).toBe(true);
      expect(await settledWithin(pending, DEADLINE_MS)).toBe(true);
      expect(app.sse.stats()).toMatchObject({ connections: 0, readers: 0, channels: 0 });
    },
  );

  it('closes with sends pending on a locked table', async () => {
    const app = await start({ broker: 'event-table', eventTable: { install: true } });
    await app.sse.send('events', 'before');
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('begin; lock table sse.event in access exclusive mode');
    const pending = Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => app.sse.send('events', `${i}`)),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await settledWithin(app.app.close(), DEADLINE_MS)).toBe(true);
    expect(await settledWithin(pending, DEADLINE_MS)).toBe(true);
    await client.end();
  });
});
