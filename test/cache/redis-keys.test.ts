import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { createRedis, type TestRedis } from '../support/databases.js';
import { until } from '../support/until.js';
import { Recorder } from './recorder.js';
import { commandCounts, instance, type Instance } from './redis-rig.js';

let server: TestRedis;
let writer: Redis;
const running: Instance[] = [];

async function start(redis: string | Redis = server.url): Promise<Instance> {
  const started = await instance(redis);
  running.push(started);
  return started;
}

const newKey = () => `${server.keyPrefix}${randomUUID()}`;

beforeAll(async () => {
  server = await createRedis();
  writer = new Redis(server.url);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

afterAll(async () => {
  writer.disconnect();
  await server.drop();
});

describe("A key in Redis with mode: 'take'", () => {
  it('turns each value into one event and removes it', async () => {
    const { source } = await start();
    const key = newKey();
    const channel = Recorder.open(source.with({ interval: 20 }), key);
    for (const value of ['one', 'line\r\nbreak', '', 'nul\0', '😀']) {
      const before = channel.events.length;
      await writer.set(key, value);
      await until(() => channel.events.length > before);
    }
    expect(channel.data).toEqual(['one', 'line\r\nbreak', '', 'nul\0', '😀']);
    expect(await writer.exists(key)).toBe(0);
  });

  it('is polled at once for the first reader, and gives every client all values', async () => {
    const { source } = await start();
    const key = newKey();
    await writer.set(key, 'waiting');
    const endpoints = [
      source.with({ interval: 60_000 }),
      source.with({ interval: 50_000, type: 'job' }),
    ];
    const channels = endpoints.map((endpoint) => Recorder.open(endpoint, key));
    await until(() => channels.every((channel) => channel.events.length === 1));
    expect(channels.map((channel) => channel.events[0])).toMatchObject([
      { data: 'waiting', type: undefined },
      { data: 'waiting', type: 'job' },
    ]);
  });

  it('is polled once per interval, whatever the number of channels', async () => {
    const { source } = await start();
    const key = newKey();
    const others = [
      source.with({ interval: 500 }),
      source.with({ interval: 1_000 }),
      source.with({ interval: 1_000, type: 'x' }),
    ];
    const channels = others.map((endpoint) => Recorder.open(endpoint, key));
    channels.push(Recorder.open(source.with({ interval: 50 }), key));
    const before = (await commandCounts(writer)).get('exists') ?? 0;
    const started = performance.now();
    await until(() => performance.now() - started > 1_000);
    const polls = ((await commandCounts(writer)).get('exists') ?? 0) - before;
    expect(polls).toBeGreaterThan(10);
    expect(polls).toBeLessThanOrEqual(23);
  });

  it('is read in one call with the other due keys', async () => {
    const { source } = await start();
    const endpoint = source.with({ interval: 500 });
    const keys = Array.from({ length: 1_000 }, newKey);
    const channels = keys.map((key) => Recorder.open(endpoint, key));
    const idle = (await commandCounts(writer)).get('exists') ?? 0;
    const started = performance.now();
    await until(() => performance.now() - started > 1_000);
    // 2,000 polls in that second, of keys that are all idle.
    expect(((await commandCounts(writer)).get('exists') ?? 0) - idle).toBeLessThan(600);
    await Promise.all(keys.map((key) => writer.set(key, key)));
    await until(() => channels.every((channel) => channel.events.length === 1));
    expect(channels.map((channel) => channel.data)).toEqual(keys.map((key) => [key]));
  });

  it('is not polled while nobody reads, and keeps its value', async () => {
    const { source } = await start();
    const key = newKey();
    const channel = Recorder.open(source.with({ interval: 5 }), key);
    await writer.set(key, 'first');
    await until(() => channel.events.length === 1);
    channel.feed!.pause!();
    // A reading that was under way ends before the value is written.
    await until(() => source.polledKeys === 0);
    await writer.set(key, 'second');
    const before = (await commandCounts(writer)).get('exists') ?? 0;
    const started = performance.now();
    await until(() => performance.now() - started > 100);
    expect((await commandCounts(writer)).get('exists') ?? 0).toBe(before);
    expect(await writer.get(key)).toBe('second');
    channel.feed!.resume!();
    await until(() => channel.events.length === 2);
    expect(channel.data).toEqual(['first', 'second']);
  });

  it('gives all elements of a list, in order', async () => {
    const { source } = await start();
    const key = newKey();
    const values = Array.from({ length: 2_500 }, (_, n) => String(n));
    await writer.rpush(key, ...values);
    const channel = Recorder.open(source.with({ interval: 10 }), key);
    await until(() => channel.events.length >= 2_500);
    expect(channel.data).toEqual(values);
    expect(await writer.exists(key)).toBe(0);
  });

  it('ends the run at the done signal', async () => {
    const { source } = await start();
    const key = newKey();
    const channel = Recorder.open(source.with({ interval: 10 }), key);
    const never = Recorder.open(source.with({ interval: 10, doneSignal: false }), key);
    await writer.set(key, '[DONE]');
    await until(() => channel.events.length === 1 && never.events.length === 1);
    expect(channel.events[0]).toMatchObject({ data: '[DONE]', end: true });
    expect(never.events[0]!.end).toBeUndefined();
  });

  it('is polled less often while it is silent, and at its interval again after a value', async () => {
    const { source } = await start();
    const key = newKey();
    const channel = Recorder.open(source.with({ interval: 5, maxInterval: 60_000 }), key);
    const polls = async () => (await commandCounts(writer)).get('exists') ?? 0;
    await until(async () => {
      const before = await polls();
      const started = performance.now();
      await until(() => performance.now() - started > 400);
      return (await polls()) - before <= 1;
    });
    await writer.set(key, 'news');
    await until(() => channel.events.length === 1);
    const before = await polls();
    // At the interval of before, which doubles, three polls would take 5 s.
    await until(async () => (await polls()) - before >= 3, { deadline: 3_000 });
  });

  it('causes one log line when it has another type, and the other keys go on', async () => {
    const { source, log } = await start();
    const endpoint = source.with({ interval: 10 });
    const [bad, good] = [newKey(), newKey()];
    await writer.hset(bad, 'field', 'value');
    const channels = [bad, good].map((key) => Recorder.open(endpoint, key));
    await until(() => log.errors.length > 0);
    for (const value of ['one', 'two', 'three']) {
      await writer.set(good, value);
      await until(() => channels[1]!.data.includes(value));
    }
    expect(log.errors).toHaveLength(1);
    expect(log.errors[0]).toContain(bad);
    expect(log.errors[0]).toContain('hash');
    await writer.del(bad);
    await writer.set(bad, 'text at last');
    await until(() => channels[0]!.events.length === 1);
    expect(channels[0]!.data).toEqual(['text at last']);
  });
});

describe('A value that is overwritten before the next poll', () => {
  it.each(['take', 'watch'] as const)('never arrives (%s)', async (mode) => {
    const { source } = await start();
    const key = newKey();
    const channel = Recorder.open(source.with({ interval: 10, mode }), key);
    for (let n = 1; n <= 3; n++) {
      await writer.multi().set(key, `first ${n}`).set(key, `last ${n}`).exec();
      await until(() => channel.events.length === n);
    }
    expect(channel.data).toEqual(['last 1', 'last 2', 'last 3']);
  });
});

describe("A key in Redis with mode: 'watch'", () => {
  it('gives its value once, then its changes only, and keeps the value', async () => {
    const { source } = await start();
    const key = newKey();
    await writer.set(key, 'a');
    const endpoint = source.with({ interval: 10, mode: 'watch' });
    const channel = Recorder.open(endpoint, key);
    await until(() => channel.events.length === 1);
    expect(channel.feed!.current!()).toMatchObject({ data: 'a' });
    await writer.set(key, 'a');
    const before = (await commandCounts(writer)).get('getrange') ?? 0;
    await until(async () => ((await commandCounts(writer)).get('getrange') ?? 0) >= before + 5);
    await writer.set(key, 'b');
    await until(() => channel.events.length === 2);
    await writer.del(key);
    await until(() => channel.feed!.current!() === undefined);
    await writer.set(key, 'b');
    await until(() => channel.events.length === 3);
    expect(channel.data).toEqual(['a', 'b', 'b']);
    expect(await writer.get(key)).toBe('b');
  });

  it('causes one log line when it has another type', async () => {
    const { source, log } = await start();
    const key = newKey();
    await writer.hset(key, 'field', 'value');
    const channel = Recorder.open(source.with({ interval: 5, mode: 'watch' }), key);
    await until(() => log.errors.length > 0);
    await writer.del(key);
    await writer.set(key, 'text');
    await until(() => channel.events.length === 1);
    expect(log.errors).toHaveLength(1);
  });

  it('can be set by sendKey(), here and on an instance that does not read it', async () => {
    const [reader, other] = await Promise.all([start(), start()]);
    const key = newKey();
    await writer.set(key, 'old');
    const channel = Recorder.open(reader.source.with({ interval: 10, mode: 'watch' }), key);
    await until(() => channel.events.length === 1);
    await reader.source.sendKey(key, 'here', { type: 'named' });
    expect(channel.events.at(-1)).toMatchObject({ data: 'here', type: 'named' });
    await other.source.sendKey(key, { from: 'there' });
    await other.source.sendKey(key, 'last', { id: 'own' });
    await until(() => channel.events.length === 4);
    expect(channel.data).toEqual(['old', 'here', '{"from":"there"}', 'last']);
    expect(channel.events.at(-1)!.id).toBe('own');
    expect(await writer.get(key)).toBe('last');
  });
});
