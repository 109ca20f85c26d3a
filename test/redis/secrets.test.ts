import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import { RedisKeyStore } from '../../lib/sources/cache/redis/redis-store.js';
import { plainError } from '../../lib/sources/redis/plain-error.js';
import { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import type { RedisOption } from '../../lib/sources/redis/redis-option.js';
import { LogRecorder } from '../cache/recorder.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { instance, stopInstances, withRedis } from './instances.js';

/** Everything that somebody can see of an error. */
function seen(error: unknown): string {
  const own = JSON.stringify(error, (_, value: unknown) =>
    value instanceof Error ? { ...value, cause: value.cause, stack: value.stack } : value,
  );
  return inspect(error, { depth: Infinity, showHidden: true }) + own;
}

/** What the promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<Error> {
  const [outcome] = await Promise.allSettled([promise]);
  expect(outcome!.status).toBe('rejected');
  return (outcome as PromiseRejectedResult).reason as Error;
}

afterEach(stopInstances);

describe('A password that the server refuses', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis({ config: ['requirepass right'] });
  });

  afterAll(async () => {
    await server.stop();
  });

  it('appears neither in the error of a start with `failFast` nor in the log', async () => {
    const { port } = server;
    const options: RedisOption[] = [
      `redis://:s3cret@127.0.0.1:${port}`,
      `redis://user:s3cret@127.0.0.1:${port}`,
      { port, password: 's3cret', protocol: 2 },
      { port, username: 'user', password: 's3cret' },
    ];
    for (const option of options) {
      const log = new LogRecorder();
      const error = await rejection(new RedisConnection(option, log).start(true));
      expect(error).toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('WRONGPASS'),
        cause: { name: 'ReplyError' },
      });
      expect(seen(error)).not.toContain('s3cret');
      const later = new RedisConnection(option, log);
      await later.start(false);
      await until(() => log.errors.length > 0);
      await later.stop();
      expect([...log.errors, ...log.lines].join()).not.toContain('s3cret');
    }
  });
});

describe('An argument of a command', () => {
  let server: RedisServer;
  let renaming: RedisServer;

  beforeAll(async () => {
    server = await startRedis();
    renaming = await startRedis({ config: ['rename-command EVALSHA ""'] });
  });

  afterAll(async () => {
    await Promise.all([server, renaming].map((one) => one.stop()));
  });

  const source = async (url: string) => {
    const { connection, streams, log } = await instance(url);
    await until(() => connection.client().catch(() => undefined));
    return new CacheSource(new RedisKeyStore(streams), log);
  };

  it('does not appear in the error for a command that the server does not know', async () => {
    const one = await instance(renaming.url);
    const sent = await rejection(one.broker.publish('renamed', { data: 's3cret' }));
    // Redis 6.2 quotes with backticks.
    expect(sent.message).toMatch(/unknown command ['`]evalsha['`]$/i);
    const keys = await source(renaming.url);
    const sentToKey = await rejection(keys.sendKey('renamed', 's3cret'));
    await keys.stop();
    one.open('s3cret channel');
    await until(() => one.log.errors.length > 0);
    const logged = one.log.errors.join();
    expect([seen(sent), seen(sentToKey), logged].join()).not.toMatch(/s3cret(?! channel)/);
    expect(logged).not.toContain('beginning with');
  });

  it('does not appear in the error of a call that the server refuses', async () => {
    await withRedis(server.url, (admin) =>
      admin.call('ACL', 'SETUSER', 'less', 'on', '>x', 'allkeys', 'allchannels', '+@all', '-eval'),
    );
    const url = server.url.replace('redis://', 'redis://less:x@');
    const error = await rejection((await instance(url)).broker.publish('a', { data: 's3cret' }));
    const keys = await source(url);
    const ofKey = await rejection(keys.sendKey('key', 's3cret'));
    await keys.stop();
    for (const one of [error, ofKey]) {
      expect(one).toMatchObject({ code: 'UNAVAILABLE', cause: { name: 'ReplyError' } });
      expect(seen(one)).not.toContain('s3cret');
    }
  });
});

describe('An error of ioredis', () => {
  it('keeps what identifies it, and loses the arguments of its command', () => {
    const aborted = Object.assign(new Error('Command aborted'), {
      name: 'AbortError',
      code: 'ECONNRESET',
      command: { name: 'auth', args: ['s3cret'] },
    });
    const plain = plainError(aborted);
    expect(plain).toMatchObject({
      name: 'AbortError',
      code: 'ECONNRESET',
      message: 'Command aborted',
    });
    expect(plain.stack).toMatch(/^AbortError: Command aborted\n {4}at /);
    expect(seen(plain)).not.toContain('s3cret');
    const ofCluster = plainError(
      Object.assign(new Error('Failed to refresh slots cache.'), { lastNodeError: aborted }),
    );
    expect(ofCluster.cause).toMatchObject({ name: 'AbortError' });
    expect(seen(ofCluster)).not.toContain('s3cret');
  });

  it('stays as it is when it holds nothing of a command', () => {
    const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(plainError(error)).toBe(error);
    expect(plainError('text')).toMatchObject({ message: 'text' });
    expect(plainError(undefined)).toMatchObject({ message: 'undefined' });
  });
});
