import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { freePort } from '../support/free-port.js';
import { until } from '../support/until.js';
import { LogRecorder } from './recorder.js';

let server: TestRedis;

beforeAll(async () => {
  server = await createRedis();
});

afterAll(() => server.drop());

const connectionTo = (option: unknown, log = new LogRecorder()) =>
  new RedisConnection(option as string, log);

describe('RedisConnection', () => {
  it.each([
    ['localhost:6379', '***'],
    ['http://localhost', 'http://***'],
    ['redis://:secret@', 'redis://:***'],
    ['redis://user:sec@ret@host/x', 'database'],
    ['redis://:secret@host:99999', 'redis://:***'],
    ['', 'empty string'],
    [42, 'number'],
    [null, 'null'],
    [undefined, 'undefined'],
    [[], 'array'],
    [{ port: 'x' }, 'redis.port'],
    [{ port: 0 }, '0'],
  ])('refuses %j when it is constructed', (option, shown) => {
    let error: unknown;
    try {
      connectionTo(option);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ name: 'SseError', code: 'INVALID_OPTION' });
    expect((error as Error).message).toContain(shown);
    expect((error as Error).message).not.toContain('sec');
  });

  it('throws an error with the install command when ioredis is missing', async () => {
    const connection = new RedisConnection('redis://localhost', new LogRecorder(), () =>
      Promise.reject(new Error("Cannot find package 'ioredis'")),
    );
    await expect(connection.start(false)).rejects.toMatchObject({
      code: 'MISSING_PEER',
      message: expect.stringContaining('npm install ioredis'),
    });
    await connection.stop();
  });

  it('accepts a URL, options or a client, and closes only a client that it made', async () => {
    const { hostname, port, username, password } = new URL(server.url);
    const users = new Redis(server.url);
    const options = { host: hostname, port: Number(port), ...(password && { username, password }) };
    for (const option of [server.url, options, users]) {
      const log = new LogRecorder();
      const connection = new RedisConnection(option, log);
      await connection.start(true);
      expect([...log.errors, ...log.lines]).toEqual([]);
      const client = await connection.client();
      expect(await client.call('ping')).toBe('PONG');
      await connection.stop();
      await expect(connection.client()).rejects.toMatchObject({ code: 'CLOSED' });
      if (option === users) {
        expect(users.status).toBe('ready');
      } else {
        await until(() => client.status === 'end');
      }
    }
    users.disconnect();
  });

  it('rejects a start with failFast while the server is away, and logs nothing then', async () => {
    const log = new LogRecorder();
    const port = await freePort();
    const connection = connectionTo(`redis://user:secret@127.0.0.1:${port}`, log);
    const start = connection.start(true);
    await expect(start).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
    await expect(start).rejects.not.toMatchObject({ message: expect.stringContaining('secret') });
    expect(log.errors).toEqual([]);
  });

  it('rejects commands while it is not connected instead of queueing them', async () => {
    const log = new LogRecorder();
    const connection = connectionTo(`redis://127.0.0.1:${await freePort()}`, log);
    await connection.start(false);
    await until(() => log.errors.length === 1);
    await expect(connection.client()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await connection.stop();
    expect(log.errors).toHaveLength(1);
  });
});
