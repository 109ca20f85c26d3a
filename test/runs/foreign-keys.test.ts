import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogRecorder } from '../cache/recorder.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ChatsController } from './chats.js';
import { textOf, whole } from './store-writer.js';

const received = ({ events }: SseTestClient): readonly string[] =>
  events.filter(({ type }) => type !== 'sse:open').map(({ data }) => data);

const isOver = (client: SseTestClient): boolean => received(client).includes('[DONE]');

/** Emits every few milliseconds, or once. */
async function* count(isQuiet: boolean): AsyncGenerator<string> {
  for (let number = 1; ; number++) {
    yield textOf(number);
    await sleep(isQuiet && number === 3 ? 600_000 : 5, undefined, { ref: false });
  }
}

describe('A run is lost for all who follow it on three instances when another program', () => {
  let server: RedisServer;
  let admin: Redis;

  beforeAll(async () => {
    server = await startRedis();
    admin = new Redis(server.url);
  });
  afterEach(async () => {
    await closeApps();
    await admin.flushall();
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  const ways: Record<string, (run: string, id: string) => Promise<unknown>> = {
    'puts a list in place of its record': async (run, id) => {
      await admin.multi().del(`${run}:${id}`).rpush(`${run}:${id}`, 'foreign').exec();
    },
    'puts a hash of its own in place of its record': async (run, id) => {
      await admin.multi().del(`${run}:${id}`).hset(`${run}:${id}`, 'h', 'high').exec();
    },
    'puts a text in place of its chunks': (run, id) => admin.set(`${run}:${id}:chunks`, 'foreign'),
    'adds to its chunks': (run, id) => admin.xadd(`${run}:${id}:chunks`, '*', 'foreign', '1'),
    'puts a list in place of the key that names it': async (run) => {
      await admin.multi().del(run).rpush(run, 'foreign').exec();
    },
    'puts other types in place of all its keys': async (run, id) => {
      await admin.mset(`${run}:${id}`, 'foreign', `${run}:${id}:chunks`, 'foreign');
      await admin.multi().del(run).rpush(run, 'foreign').exec();
    },
  };

  const tries = Object.keys(ways).flatMap((way) => [
    { way, what: 'emits', isQuiet: false },
    { way, what: 'is quiet', isQuiet: true },
  ]);

  // What is behind the last chunk is in nobody's way before the next one.
  const lasting = tries.filter(({ way, isQuiet }) => !(isQuiet && way === 'adds to its chunks'));

  it.each(lasting)('$way while its source $what', async ({ way, isQuiet }) => {
    const logs = [new LogRecorder(), new LogRecorder(), new LogRecorder()];
    const apps = await Promise.all(
      logs.map((logger) =>
        startApp({
          controllers: [ChatsController],
          logger: logger as never,
          options: { broker: 'redis', redis: server.url, drainTimeout: 100, failFast: true },
        }),
      ),
    );
    const run = await apps[0]!.sse.run('chat:a', () => count(isQuiet), { lease: 1_000 });
    const clients = await Promise.all(apps.map(({ connect }) => connect('/chats/a')));
    await until(() => clients.every((client) => received(client).length >= 3));
    await ways[way]!('sse:{chat:a}:run', run.id);
    await until(() => clients.every(isOver));
    expect(await run.done).toMatchObject({ reason: 'lost' });
    for (const client of clients) {
      const texts = received(client);
      expect(texts).toEqual([
        ...whole(texts.length).slice(0, texts.length - 2),
        expect.stringContaining('"reason":"lost"'),
        '[DONE]',
      ]);
    }
    expect(apps.map(({ sse }) => sse.stats().runs)).toEqual([0, 0, 0]);
    // One line on each instance at most: who ended it, and who found it gone.
    for (const { errors, lines } of logs) {
      const told = lines.filter((line) => line.includes(run.id));
      expect(errors).toEqual([]);
      expect(told.length).toBeLessThanOrEqual(1);
      expect(told.every((line) => line.includes('is lost'))).toBe(true);
    }
    // Who comes later has nothing to follow, and what belongs to others is left alone.
    const foreign = await admin.keys('*');
    if (await admin.exists('sse:{chat:a}:run')) {
      const isList = (await admin.type('sse:{chat:a}:run')) === 'list';
      const next = apps[1]!.sse.run('chat:a', () => count(false));
      if (isList) {
        await expect(next).rejects.toThrow(
          'holds another type under the key "sse:{chat:a}:run", which this package uses. Remove that key',
        );
      } else {
        expect(await next).toMatchObject({ channel: 'chat:a' });
        expect(await admin.keys('*')).toEqual(expect.arrayContaining(foreign));
      }
    }
  });
});
