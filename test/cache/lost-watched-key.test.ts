import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { SseChannel } from '../../lib/index.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class KeyController {
  @Sse('watched')
  @SseChannel('key', { source: 'cache', interval: 5, mode: 'watch' })
  watched() {}
}

// A server of its own, as it is emptied.
let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
afterEach(closeApps);
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** Waits until the key has been looked at with what it holds now. */
async function looked(): Promise<void> {
  const calls = async (): Promise<number> =>
    Number(/cmdstat_exists:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
  const before = await calls();
  await until(async () => (await calls()) > before + 2);
}

it.each([
  ['small', 'x'],
  ['large', 'x'.repeat(100_000)],
])(
  'A %s watched value arrives again when the server loses it and somebody sets it again',
  async (_, value) => {
    const { sse, connect } = await startApp({
      controllers: [KeyController],
      options: { redis: server.url },
    });
    const client = await connect('/watched');
    await sse.sendKey('key', value);
    expect(await client.next()).toMatchObject({ data: value });
    await looked();
    for (const lose of [() => redis.flushall(), () => redis.del('key')]) {
      await lose();
      await looked();
      // A new client receives nothing that is gone.
      const late = await connect('/watched');
      await redis.set('key', value);
      expect(await client.next()).toMatchObject({ data: value });
      expect(await late.next()).toMatchObject({ data: value });
      await sse.sendKey('key', `${value}, next`);
      expect(await client.next()).toMatchObject({ data: `${value}, next` });
      await redis.set('key', value);
      expect(await client.next()).toMatchObject({ data: value });
    }
  },
);
