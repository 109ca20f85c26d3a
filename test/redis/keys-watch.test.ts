import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { CacheOptions } from '../../lib/sources/cache/cache-options.js';
import { waitingKey } from '../../lib/sources/cache/waiting-event.js';
import { commandCounts, instance, type Instance } from '../cache/redis-rig.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { until } from '../support/until.js';
import { Recorded } from './instances.js';

let server: TestRedis;
let redis: Redis;
let key = '';
let tests = 0;
const running: Instance[] = [];

beforeAll(async () => {
  server = await createRedis();
  redis = new Redis(server.url);
});

beforeEach(() => {
  key = `${server.keyPrefix}watched-${++tests}`;
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

afterAll(async () => {
  redis.disconnect();
  await server.drop();
});

async function start(): Promise<Instance> {
  const one = await instance(server.url, { prefix: server.keyPrefix });
  running.push(one);
  return one;
}

function watch({ source }: Instance, options: CacheOptions = {}, of = key): Recorded {
  const recorded = new Recorded(source.with({ interval: 10, mode: 'watch', ...options }), of);
  recorded.feed.resume?.();
  return recorded;
}

const runs = async (command: string) => (await commandCounts(redis)).get(command) ?? 0;

/** Waits until keys were looked at so many times more. */
async function looks(times: number): Promise<void> {
  const before = await runs('strlen');
  await until(async () => (await runs('strlen')) >= before + times);
}

const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))![1]);

describe('An instance that watches a large value', () => {
  const large = (text: string) => text.padEnd(200_000, '.');

  it('reads it again when it has changed, also when its length has not', async () => {
    const one = watch(await start());
    const values: string[] = [];
    for (const value of [large('a'), large('b'), `${large('c')}longer`, 'small', large('a')]) {
      values.push(value);
      await redis.set(key, value);
      await until(() => one.events.length === values.length);
    }
    await redis.del(key);
    await until(() => one.feed.current!() === undefined);
    await redis.set(key, large('a'));
    await until(() => one.events.length === values.length + 1);
    expect(one.data).toEqual([...values, large('a')]);
    expect(one.resets).toEqual([]);
  });

  it('does not read it again while it has not changed', async () => {
    const started = await start();
    const keys = Array.from({ length: 20 }, (_, n) => `${key}-${n}`);
    await Promise.all(keys.map((one) => redis.set(one, large(one))));
    const recorded = keys.map((one) => watch(started, {}, one));
    await until(() => recorded.every(({ events }) => events.length === 1));
    const before = await sent();
    await looks(20 * keys.length);
    // Read each time, these would be 80 MB.
    expect((await sent()) - before).toBeLessThan(2_000_000);
    expect(recorded.every(({ events }) => events.length === 1)).toBe(true);
    await redis.set(keys[7]!, large('news'));
    await until(() => recorded[7]!.events.length === 2);
  });

  it('compares a few values in turn where Redis cannot compare all, and logs that once', async () => {
    const started = await start();
    const keys = Array.from({ length: 10 }, (_, n) => `${key}-${n}`);
    const huge = (text: string) => text.padEnd(1_000_000, '.');
    await Promise.all(keys.map((one) => redis.set(one, huge('a'))));
    const recorded = keys.map((one) => watch(started, {}, one));
    await until(() => recorded.every(({ events }) => events.length === 1));
    await until(() => started.log.lines.some((line) => line.includes('too many large values')));
    await Promise.all(keys.map((one) => redis.set(one, huge('b'))));
    await until(() => recorded.every(({ events }) => events.length === 2));
    expect(recorded.every(({ data }) => data[1] === huge('b'))).toBe(true);
    expect(started.log.lines.filter((line) => line.includes('too many large values'))).toHaveLength(
      1,
    );
  });

  it('does not read it again and again when its bytes are not text', async () => {
    const one = watch(await start());
    const bytes = Buffer.alloc(100_000, 0xe9);
    await redis.set(key, bytes);
    await until(() => one.events.length === 1);
    const before = await sent();
    await looks(20);
    expect((await sent()) - before).toBeLessThan(100_000);
    expect(one.data).toEqual([bytes.toString()]);
  });
});

describe('A small watched value', () => {
  it('may be empty, which differs from a missing value', async () => {
    const one = watch(await start());
    for (const value of ['a', '', 'é'.repeat(8_192), 'é'.repeat(8_193), '']) {
      const { length } = one.events;
      await redis.set(key, value);
      await until(() => one.events.length > length);
      expect(one.data.at(-1)).toBe(value);
    }
    expect(one.feed.current!()).toMatchObject({ data: '' });
    await redis.del(key);
    await until(() => one.feed.current!() === undefined);
    expect(one.events).toHaveLength(5);
  });

  it('keeps what somebody set after sendKey(), whatever sendKey() had sent', async () => {
    const started = await start();
    await started.source.sendKey(key, 'sent', { type: 'sent' });
    await redis.set(key, 'newer');
    const one = watch(started);
    await until(() => one.events.length === 2);
    expect(one.data).toEqual(['sent', 'newer']);
    expect(one.events[0]!.type).toBe('sent');
    expect(await redis.get(key)).toBe('newer');
  });

  it('becomes the last of many that have waited, and each of them is an event', async () => {
    const started = await start();
    const values = Array.from({ length: 2_500 }, (_, n) => `${n} ${'x'.repeat(200)}`);
    await Promise.all(values.map((value) => started.source.sendKey(key, value)));
    const one = watch(started);
    await until(() => one.events.length >= values.length);
    await until(async () => (await redis.get(key)) === values.at(-1));
    expect(one.data).toEqual(values);
    expect(await redis.exists(waitingKey(key))).toBe(0);
  });
});
