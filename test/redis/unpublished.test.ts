import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { instance as keysInstance, type Instance } from '../cache/redis-rig.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { Recorded, withRedis } from './instances.js';

/*
 * Our user may write and not publish. What is written is found by the next comparison of streams;
 * nothing of it may be written again and again because telling others of it failed.
 */

let redis: RedisServer;
let one: Instance;

beforeAll(async () => {
  redis = await startRedis();
  await withRedis(redis.url, async (admin) => {
    const publishing = (await admin.call('COMMAND', 'INFO', 'spublish')) as unknown[];
    const rights = ['+@all', '-publish', ...(publishing[0] ? ['-spublish'] : []), '~*', '&*'];
    await admin.call('ACL', 'SETUSER', 'silent', 'on', '>secret', ...rights);
  });
});

beforeEach(async () => {
  const url = redis.url.replace('redis://', 'redis://silent:secret@');
  one = await keysInstance(url, { auditInterval: 100 }, { eventSize: 50_000 });
});

afterEach(async () => {
  await one.stop();
});

afterAll(async () => {
  await redis.stop();
});

it.each([
  ['small values', ['a', 'b', 'c']],
  ['values that travel alone', ['x'.repeat(20_000), 'ä'.repeat(10_000)]],
])("An instance that may not publish takes a key's values once: %s", async (name, values) => {
  const reader = new Recorded(one.source.with({ interval: 10 }), name);
  reader.feed.resume?.();
  await until(() => reader.isLive);
  const push = (...all: string[]) => withRedis(redis.url, (admin) => admin.rpush(name, ...all));
  await push(...values);
  await until(() => reader.events.length >= values.length);
  await push('last');
  await until(() => reader.data.includes('last'));
  expect(reader.data).toEqual([...values, 'last']);
  expect(reader.resets).toEqual([]);
});

it('An instance that may not publish announces a value that is too large once', async () => {
  const reader = new Recorded(one.source.with({ interval: 10 }), 'too large');
  reader.feed.resume?.();
  await until(() => reader.isLive);
  const push = (...all: string[]) =>
    withRedis(redis.url, (admin) => admin.rpush('too large', ...all));
  await push('x'.repeat(60_000));
  await until(() => reader.resets.length > 0);
  await push('last');
  await until(() => reader.data.includes('last'));
  expect(reader.resets).toEqual([{ reason: 'skipped-event', after: 0 }]);
});

it('An instance that may not publish accepts sendKey(), and its value arrives once', async () => {
  const reader = new Recorded(one.source.with({ interval: 10 }), 'sent');
  reader.feed.resume?.();
  await until(() => reader.isLive);
  await one.source.sendKey('sent', 'a');
  await one.source.sendKey('sent', 'b');
  await until(() => reader.data.includes('b'));
  expect(reader.data).toEqual(['a', 'b']);
  // The operator is told.
  expect([...one.log.lines, ...one.log.errors].join('\n')).toMatch(/permission|can't run/i);
});
