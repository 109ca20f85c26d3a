import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { RedisKeyLimits } from '../../lib/sources/cache/redis/redis-store.js';
import { waitingKey } from '../../lib/sources/cache/waiting-event.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { until } from '../support/until.js';
import { Recorder } from './recorder.js';
import { instance, type Instance } from './redis-rig.js';

let server: TestRedis;
let client: Redis;
const running: Instance[] = [];

async function start(
  redis: string | Redis = server.url,
  limits: RedisKeyLimits = {},
): Promise<Instance> {
  const started = await instance(redis, {}, limits);
  running.push(started);
  await until(() =>
    started.connection.client().then(
      () => true,
      () => false,
    ),
  );
  return started;
}

const newKey = () => `${server.keyPrefix}${randomUUID()}`;

beforeAll(async () => {
  server = await createRedis();
  client = new Redis(server.url);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

afterAll(async () => {
  client.disconnect();
  await server.drop();
});

describe('sendKey()', () => {
  it('loses and repeats none of 500 values from two instances', async () => {
    const instances = await Promise.all([start(), start()]);
    const key = newKey();
    const channels: Recorder[] = [];
    const sends: Promise<void>[] = [];
    for (let n = 0; n < 500; n++) {
      sends.push(instances[n % 2]!.source.sendKey(key, { n }));
      if (n % 50 === 49) {
        await Promise.all(sends.splice(0));
      }
      if (n === 100 || n === 300) {
        const reader = instances[channels.length]!;
        channels.push(Recorder.open(reader.source.with({ interval: 5 }), key));
      }
    }
    const numbers = ({ data }: Recorder) =>
      data.map((text) => (JSON.parse(text) as { n: number }).n);
    const [first, second] = channels as [Recorder, Recorder];
    await until(() => numbers(first).at(-1)! >= 498 && numbers(second).at(-1)! >= 498);
    // The second begins where it was opened, and receives what the first one does.
    await until(() => first.events.length === 500);
    expect(numbers(first).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 500 }, (_, n) => n),
    );
    expect(second.data).toEqual(first.data.slice(-second.data.length));
    // What one instance has sent comes in that order.
    for (const parity of [0, 1]) {
      const own = numbers(first).filter((n) => n % 2 === parity);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
  });

  it('keeps the order of waiting values, foreign values and values sent while somebody reads', async () => {
    const { source } = await start();
    const key = newKey();
    await source.sendKey(key, 'one');
    await source.sendKey(key, 'two', { type: 'named', id: 'own' });
    await client.set(key, 'three');
    await source.sendKey(key, 'four');
    const channel = Recorder.open(source.with({ interval: 60_000 }), key);
    await Promise.all([source.sendKey(key, 'five'), source.sendKey(key, 6)]);
    await until(() => channel.events.length >= 6);
    expect(channel.data).toEqual(['one', 'two', 'three', 'four', 'five', '6']);
    expect(channel.events[1]).toMatchObject({ type: 'named', id: 'own' });
    await client.set(key, 'seven');
    await source.sendKey(key, 'eight');
    await until(() => channel.events.length >= 8);
    expect(channel.data.slice(6)).toEqual(['seven', 'eight']);
    expect(await client.exists(key, waitingKey(key))).toBe(0);
  });

  it('rejects more than may wait, and everything after stop()', async () => {
    const { source } = await start(server.url, { maxWaiting: 2 });
    const key = newKey();
    const sent = await Promise.allSettled(
      ['1', '2', '3'].map((value) => source.sendKey(key, value)),
    );
    expect(sent.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    await expect(source.sendKey(key, '4')).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    const day = 24 * 60 * 60 * 1_000;
    const left = await client.pttl(waitingKey(key));
    expect(left).toBeGreaterThan(day - 60_000);
    expect(left).toBeLessThanOrEqual(day);
    await source.stop();
    await expect(source.sendKey(key, 'late')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('works through a client of the application, with its prefix, and does not change that client', async () => {
    const users = new Redis(server.url, { keyPrefix: `${server.keyPrefix}app:` });
    try {
      const options = { ...users.options };
      const listeners = () =>
        ['ready', 'close', 'error', 'end'].map((event) => users.listenerCount(event));
      const before = listeners();
      const { source, stop } = await start(users);
      const key = randomUUID();
      await source.sendKey(key, 'waits');
      const channel = Recorder.open(source.with({ interval: 10 }), key);
      await users.set(key, 'foreign');
      await until(() => channel.events.length === 2);
      expect(channel.data).toEqual(['waits', 'foreign']);
      await stop();
      expect(users.status).toBe('ready');
      expect(users.options).toEqual(options);
      expect(listeners()).toEqual(before);
    } finally {
      users.disconnect();
    }
  });

  it.each([
    ['an empty key', '', 'x', 'INVALID_CHANNEL'],
    ['a key over 1,024 bytes', 'é'.repeat(513), 'x', 'INVALID_CHANNEL'],
    ['a BigInt', 'k', 1n, 'INVALID_EVENT'],
    ['nothing', 'k', undefined, 'INVALID_EVENT'],
  ])('refuses %s', async (_, key, value, code) => {
    const { source } = await start();
    await expect(source.sendKey(key, value)).rejects.toMatchObject({ code });
  });
});
