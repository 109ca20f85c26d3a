import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { CacheOptions } from '../../lib/sources/cache/cache-options.js';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import { RedisKeyStore } from '../../lib/sources/cache/redis/redis-store.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { startProxy } from '../support/proxy.js';
import { until } from '../support/until.js';
import { count, instance, NONE, Recorded, stopInstances } from './instances.js';

let server: TestRedis;
let redis: Redis;
let key = '';
let tests = 0;
const sources = new Set<CacheSource>();

beforeAll(async () => {
  server = await createRedis();
  redis = new Redis(server.url);
});

beforeEach(() => {
  key = `${server.keyPrefix}key-${++tests}`;
});

afterEach(async () => {
  await Promise.all([...sources].map((source) => source.stop()));
  sources.clear();
  await stopInstances();
});

afterAll(async () => {
  redis.disconnect();
  await server.drop();
});

async function start(url = server.url): Promise<CacheSource> {
  const { streams, connection, log } = await instance(url, {
    prefix: server.keyPrefix,
    retain: { events: 50_000 },
  });
  await until(() =>
    connection.client().then(
      () => true,
      () => false,
    ),
  );
  const source = new CacheSource(new RedisKeyStore(streams), log);
  sources.add(source);
  return source;
}

function read(source: CacheSource, options: CacheOptions = {}): Recorded {
  const recorded = new Recorded(source.with({ interval: 10, ...options }), key);
  recorded.feed.resume?.();
  return recorded;
}

describe('A key that several instances read', () => {
  it('gives every value to every instance, once and in one order', async () => {
    const instances = await Promise.all([start(), start(), start()]);
    const recorded = instances.map((source) => read(source));
    await until(() => recorded.every((one) => one.isLive));
    const sent: string[] = [];
    for (let n = 0; n < 100; n++) {
      sent.push(`value ${n}`);
      await redis.set(key, `value ${n}`);
      await until(async () => (await redis.exists(key)) === 0);
    }
    await until(() => recorded.every((one) => one.events.length >= 100));
    recorded.forEach((one) => expect(count(sent, one.data)).toEqual(NONE));
    const positions = recorded.map((one) => one.events.map((event) => event.position));
    expect(positions[1]).toEqual(positions[0]);
    expect(positions[2]).toEqual(positions[0]);
  });

  it('gives all values of a list that another program fills', async () => {
    const instances = await Promise.all([start(), start()]);
    const recorded = instances.map((source) => read(source));
    await until(() => recorded.every((one) => one.isLive));
    const sent = Array.from({ length: 3_000 }, (_, n) => `pushed ${n}`);
    for (let n = 0; n < sent.length; n += 50) {
      await redis.rpush(key, ...sent.slice(n, n + 50));
    }
    await until(() => recorded.every((one) => one.events.length >= sent.length));
    recorded.forEach((one) => expect(count(sent, one.data)).toEqual(NONE));
  });

  it('gives what sendKey() sends at once, whether the sending instance reads the key or not', async () => {
    const instances = await Promise.all([start(), start(), start()]);
    const recorded = instances.slice(0, 2).map((source) => read(source, { interval: 60_000 }));
    await until(() => recorded.every((one) => one.isLive));
    // Before any instance polls the key again.
    const sent = Array.from({ length: 200 }, (_, n) => `sent ${n}`);
    await Promise.all(sent.map((text) => instances[2]!.sendKey(key, text, { type: 'sent' })));
    await instances[0]!.sendKey(key, '[DONE]', { id: 'own' });
    await until(() => recorded.every((one) => one.events.length >= 201));
    recorded.forEach((one) => {
      expect(count([...sent, '[DONE]'], one.data)).toEqual(NONE);
      expect(one.events[0]).toMatchObject({ type: 'sent' });
      expect(one.events[200]).toMatchObject({ id: 'own', end: true, data: '[DONE]' });
    });
  });

  it('keeps its values while nobody reads, and gives them to the first reader', async () => {
    const source = await start();
    await source.sendKey(key, 'waits', { type: 'named' });
    await redis.set(key, 'also waits');
    const one = read(source);
    await until(() => one.events.length === 2);
    expect(one.data).toEqual(['waits', 'also waits']);
    expect(one.events[0]!.type).toBe('named');
  });

  it('lets a client resume on any instance', async () => {
    const [one, two] = [await start(), await start()];
    const here = read(one);
    for (const text of ['a', 'b', 'c']) {
      await one.sendKey(key, text);
    }
    await until(() => here.events.length === 3);
    await one.sendKey(key, '[DONE]');
    await until(() => here.events.length === 4);
    const there = read(two, { type: 'renamed' });
    const { history } = there.feed;
    const page = await history!.read(here.events[0]!.position, 10);
    expect(page.events.map(({ data, type, end }) => ({ data, type, end }))).toEqual([
      { data: 'b', type: 'renamed', end: undefined },
      { data: 'c', type: 'renamed', end: undefined },
      { data: '[DONE]', type: 'renamed', end: true },
    ]);
    expect(await history!.read(here.events[3]!.position, 10)).toMatchObject({ ended: true });
  });

  it('gives values of any text, and of bytes that are not text', async () => {
    const instances = await Promise.all([start(), start()]);
    const recorded = instances.map((source) => read(source));
    await until(() => recorded.every((one) => one.isLive));
    const texts = ['', 'ä€😀\u0000', 'a\r\nb', 'x'.repeat(50_000)];
    await redis.rpush(key, ...texts);
    await until(() => recorded.every((one) => one.events.length >= 4));
    await instances[0]!.sendKey(key, 'ä😀', { type: 'ü', id: '€' });
    await until(() => recorded.every((one) => one.events.length >= 5));
    await redis.set(key, Buffer.from([0xff, 0xfe, 0xf0, 0x9f, 0x80, 0x41]));
    await until(() => recorded.every((one) => one.events.length >= 6));
    const others = [
      Buffer.from([0xc3, 0x28]),
      Buffer.from('plain'),
      Buffer.from([0xed, 0xa0, 0x80]),
    ];
    await redis.rpush(key, ...others);
    await until(() => recorded.every((one) => one.events.length >= 9));
    for (const one of recorded) {
      expect(one.data.slice(0, 5)).toEqual([...texts, 'ä😀']);
      expect(one.events[4]).toMatchObject({ type: 'ü', id: '€' });
      expect(one.data[5]).toBe(Buffer.from([0xff, 0xfe, 0xf0, 0x9f, 0x80, 0x41]).toString());
      expect(one.data.slice(6)).toEqual(others.map((bytes) => bytes.toString()));
    }
  });

  it('gives every change to every instance that watches it', async () => {
    const instances = await Promise.all([start(), start()]);
    const recorded = instances.map((source) => read(source, { mode: 'watch' }));
    for (const text of ['a', 'b']) {
      await redis.set(key, text);
      await until(() => recorded.every((one) => one.data.at(-1) === text));
    }
    await instances[0]!.sendKey(key, 'c');
    await until(() => recorded.every((one) => one.data.at(-1) === 'c'));
    expect(recorded.map((one) => one.data)).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
    expect(await redis.get(key)).toBe('c');
  });

  it('loses and repeats nothing while connections break', async () => {
    const proxy = await startProxy(server.url);
    try {
      const instances = await Promise.all([start(proxy.url(server.url)), start(server.url)]);
      const recorded = instances.map((source) => read(source));
      await until(() => recorded.every((one) => one.isLive));
      const sent: string[] = [];
      for (let n = 0; n < 1_000; n++) {
        sent.push(`${n}`);
        await redis.rpush(key, `${n}`);
        if (n % 100 === 50) {
          proxy.cut();
        }
      }
      await until(() => recorded.every((one) => count(sent, one.data).lost === 0));
      recorded.forEach((one) => {
        expect(count(sent, one.data)).toEqual(NONE);
        expect(one.resets).toEqual([]);
      });
    } finally {
      await proxy.close();
    }
  });

  it('gives all values to its readers and to its watchers in one instance', async () => {
    const source = await start();
    const [taking, watching] = [read(source), read(source, { mode: 'watch' })];
    await until(() => taking.isLive);
    await source.sendKey(key, 'a');
    await until(() => taking.events.length === 1);
    await redis.set(key, 'b');
    await until(() => taking.events.length === 2);
    expect(watching.data).toEqual(['a', 'b']);
  });
});
