import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import type { CacheOptions } from '../../lib/sources/cache/cache-options.js';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import { RedisKeyStore, type RedisKeyLimits } from '../../lib/sources/cache/redis/redis-store.js';
import { waitingKey } from '../../lib/sources/cache/waiting-event.js';
import type { LogRecorder } from '../cache/recorder.js';
import { commandCounts } from '../cache/redis-rig.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { holds } from '../support/property.js';
import { until } from '../support/until.js';
import { instance, Recorded, stopInstances } from './instances.js';

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

async function start(limits: RedisKeyLimits = {}) {
  const { streams, log } = await instance(server.url, {
    prefix: server.keyPrefix,
    retain: { events: 50_000 },
  });
  const source = new CacheSource(new RedisKeyStore(streams, limits), log);
  sources.add(source);
  return { source, log };
}

function read(source: CacheSource, options: CacheOptions = {}, of = key): Recorded {
  const recorded = new Recorded(source.with({ interval: 10, ...options }), of);
  recorded.feed.resume?.();
  return recorded;
}

const skips = ({ resets }: Recorded) =>
  resets.filter(({ reason }) => reason === 'skipped-event').length;

const leftOut = (log: LogRecorder) => log.errors.filter((line) => line.includes('left out'));

describe('Half of a surrogate pair in a value', () => {
  const broken = 'Party 😀'.slice(0, 7);

  it.each(['take', 'watch'] as const)(
    "arrives as U+FFFD, in the data and in the type, with mode: '%s'",
    async (mode) => {
      const { source } = await start();
      const one = read(source, { mode });
      await until(() => one.isLive || mode === 'watch');
      await source.sendKey(key, broken, { type: `x${broken}` });
      await source.sendKey(key, 'next');
      await until(() => one.data.at(-1) === 'next');
      expect(one.data).toEqual(['Party \ufffd', 'next']);
      expect(one.events[0]!.type).toBe('xParty \ufffd');
      expect(one.resets).toEqual([]);
    },
  );

  it('waits for the first reader like any other value', async () => {
    const { source } = await start();
    await source.sendKey(key, broken, { type: 'x' });
    await source.sendKey(key, { text: broken });
    const one = read(source);
    await until(() => one.events.length === 2);
    expect(one.data[0]).toBe('Party \ufffd');
    expect(JSON.parse(one.data[1]!)).toEqual({ text: broken });
  });
});

describe('Data that another program writes', () => {
  it.each([
    ['lengths that are not those of its text', '1+2+3\n{"t":1}'],
    ['a meta that is no JSON', '1+2+5\n{"t":1}'],
    ['a meta that is none of ours', '0+4+1\nnullx'],
    ['a length of characters that it does not have', '0+2+1\n{}äöü'],
  ])('harms no event beside it: %s', async (_, foreign) => {
    const { source } = await start({ eventSize: 1_000 });
    await redis.rpush(waitingKey(key), '0=before', foreign);
    for (const value of ['one', 'two', 'three']) {
      await source.sendKey(key, value, { type: 'x' });
    }
    const one = read(source);
    await until(() => one.data.includes('three'));
    expect(one.data.filter((data) => data !== 'x' && !data.includes('t":'))).toEqual([
      'before',
      'one',
      'two',
      'three',
    ]);
  });

  it('never stops a key, whatever its bytes: it becomes an event, or a reset and a log line', async () => {
    const { source, log } = await start({ eventSize: 1_000 });
    const one = read(source);
    await until(() => one.isLive);
    const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
    // Texts that are nearly those that wait, in every wrong way.
    const nearly = fc
      .tuple(
        fc.constantFrom(
          '',
          '0',
          '1',
          '2',
          '0=',
          '0+',
          '1+',
          '0+1',
          '0+1+',
          '1+2+3\n',
          '0+9+9\n',
          'x',
        ),
        fc.constantFrom('', '{}', '{"t":1}', 'null', '[]', '{"t":"a\\nb"}', '9'),
        bytes,
      )
      .map(([head, meta, tail]) => Buffer.concat([Buffer.from(head + meta), tail]));
    const large = fc.constant(Buffer.alloc(1_001, 'y'));
    const element = fc.oneof(bytes, nearly, large);
    const step = fc.record({
      where: fc.constantFrom<'key' | 'list' | 'waiting'>('key', 'list', 'waiting'),
      elements: fc.array(element, { minLength: 1, maxLength: 12 }),
    });
    let n = 0;
    await holds(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
        for (const { where, elements } of steps) {
          if (where === 'key') {
            await redis.set(key, elements[0]!);
          } else {
            await redis
              .rpush(where === 'list' ? key : waitingKey(key), ...elements)
              // The key may still hold a string.
              .catch(() => undefined);
          }
        }
        const mark = `mark ${++n}`;
        await source.sendKey(key, mark, { type: 'mark', id: `id ${n}` });
        await until(() => one.data.includes(mark));
      }),
      { quick: 60, soak: 3_000 },
      // Too large for an event; and nothing that can be read as one that waits.
      [
        [[{ where: 'key', elements: [Buffer.alloc(1_001, 'y')] }]],
        [[{ where: 'waiting', elements: [Buffer.from('x')] }]],
      ],
    );
    expect(skips(one)).toBeGreaterThan(0);
    expect(leftOut(log).length).toBeGreaterThan(0);
    expect(leftOut(log).length).toBeLessThanOrEqual(10);
    expect(await redis.exists(key, waitingKey(key))).toBe(0);
  });

  it.each(['take', 'watch'] as const)(
    'into the list of waiting events becomes a reset and a log line: %s',
    async (mode) => {
      const { source, log } = await start();
      await source.sendKey(key, 'a');
      await redis.rpush(waitingKey(key), 'garbage', '0+3+1\n{}', '{"data":1}', '0=text of theirs');
      await source.sendKey(key, 'b', { type: 'named' });
      const one = read(source, { mode });
      await until(() => one.data.at(-1) === 'b');
      expect(one.data).toEqual(['a', 'text of theirs', 'b']);
      expect(skips(one)).toBe(1);
      expect(leftOut(log)).toEqual([expect.stringContaining('3 values were left out of the key')]);
    },
  );

  it('in the place of the list of waiting events makes sendKey() fail, and nothing else', async () => {
    const { source, log } = await start();
    await redis.set(waitingKey(key), 'theirs');
    const one = read(source);
    await redis.set(key, 'a value');
    await until(() => one.data.length === 1);
    await expect(source.sendKey(key, 'sent')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(waitingKey(key)),
    });
    await redis.set(key, 'another');
    await until(() => one.data.length === 2);
    const lines = () => log.errors.filter((line) => line.includes('list of its waiting events'));
    await until(() => lines().length > 0);
    expect(lines()).toHaveLength(1);
    await redis.del(waitingKey(key));
    await source.sendKey(key, 'sent');
    await until(() => one.data.length === 3);
    expect(one.data).toEqual(['a value', 'another', 'sent']);
  });

  it.each(['hash', 'set', 'zset', 'stream'])(
    'that makes the key a %s causes one log line, and sendKey() goes on',
    async (type) => {
      const { source, log } = await start();
      const others = { hash: 'hset f v', set: 'sadd v', zset: 'zadd 1 v', stream: 'xadd * f v' };
      const [command, ...args] = others[type as keyof typeof others].split(' ');
      await redis.call(command!, key, ...args);
      const one = read(source);
      await until(() => log.errors.length === 1);
      expect(log.errors[0]).toContain(`is a ${type}`);
      await source.sendKey(key, 'sent');
      await until(() => one.data.length === 1);
      await redis.del(key);
      await redis.rpush(key, 'from', 'a list');
      await until(() => one.data.length === 3);
      expect(one.data).toEqual(['sent', 'from', 'a list']);
      expect(log.errors).toHaveLength(1);
    },
  );
});

describe('A value larger than `limits.eventSize`', () => {
  const LARGE = 50 * 1_048_576;

  it('becomes a reset, and Redis never sends the value', async () => {
    const { source, log } = await start({ eventSize: 1_048_576 });
    const one = read(source);
    const watching = read(source, { mode: 'watch' }, `${key}:watched`);
    await until(() => one.isLive);
    await redis.call('SETRANGE', key, LARGE - 1, 'x');
    await redis.call('SETRANGE', `${key}:watched`, LARGE - 1, 'x');
    await until(() => skips(one) === 1 && skips(watching) === 1);
    await redis.rpush(key, 'a', 'y'.repeat(1_048_577), 'b');
    await until(() => one.data.at(-1) === 'b');
    expect(one.data).toEqual(['a', 'b']);
    expect(skips(one)).toBe(2);
    expect(watching.feed.current!()).toBeUndefined();
    await redis.set(`${key}:watched`, 'small');
    await until(() => watching.data.length === 1);
    expect(watching.resets).toHaveLength(1);
    expect(leftOut(log)).toHaveLength(3);
    expect(leftOut(log)[0]).toContain(`${LARGE} bytes`);
    const { output } = /total_net_output_bytes:(?<output>\d+)/.exec(
      await redis.info('stats'),
    )!.groups!;
    expect(Number(output)).toBeLessThan(10 * 1_048_576);
  });
});

describe('One call to Redis', () => {
  /** How many scripts the server has run so far. */
  const scripts = async () => (await commandCounts(redis)).get('evalsha') ?? 0;

  it.each([
    ['ASCII', 'x'.repeat(300_000)],
    ['text beyond ASCII', 'é'.repeat(150_000)],
  ])('takes a bounded number of bytes, however few the values are: %s', async (_, large) => {
    const { source } = await start();
    const one = read(source);
    await until(() => one.isLive);
    const values = Array.from({ length: 20 }, (__, n) => `${n} ${large}`);
    const before = await scripts();
    await redis.rpush(key, ...values);
    await until(() => one.events.length === values.length);
    expect(one.data).toEqual(values);
    expect((await scripts()) - before).toBeGreaterThanOrEqual(values.length);
  });

  it('takes a bounded number of values, however small they are', async () => {
    const { source } = await start();
    const one = read(source);
    await until(() => one.isLive);
    const values = Array.from({ length: 5_000 }, (__, n) => `${n}`);
    const before = await scripts();
    await redis.rpush(key, ...values);
    await until(() => one.events.length === values.length);
    expect(one.data).toEqual(values);
    expect((await scripts()) - before).toBeGreaterThanOrEqual(5);
  });

  it('takes a bounded part of what sendKey() has sent, and values keep their order', async () => {
    const { source } = await start();
    const values = Array.from({ length: 12 }, (__, n) => `${n} ${'x'.repeat(300_000)}`);
    const before = await scripts();
    await Promise.all(values.map((value) => source.sendKey(key, value, { type: 'large' })));
    expect((await scripts()) - before).toBeGreaterThanOrEqual(values.length);
    const one = read(source);
    await until(() => one.events.length === values.length);
    expect(one.data).toEqual(values);
    expect((await scripts()) - before).toBeGreaterThanOrEqual(2 * values.length);
  });
});
