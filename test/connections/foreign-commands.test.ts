import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { withRedis } from '../redis/instances.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { byUser, RoomsController } from './rooms.js';

describe('What other programs write to the control log on Redis', () => {
  let redis: TestRedis;
  let tests = 0;

  beforeAll(async () => void (redis = await createRedis()));
  afterEach(closeApps);
  afterAll(() => redis.drop());

  const start = async () => {
    const prefix = `${redis.keyPrefix}${++tests}:`;
    const lines: string[] = [];
    const note = (line: unknown) => void lines.push(String(line));
    const another = () =>
      startApp({
        controllers: [RoomsController],
        options: {
          broker: 'redis',
          redis: redis.url,
          redisStreams: { prefix },
          revocation: true,
          client: byUser,
        },
        logger: { log() {}, warn: note, error: note } as never,
      });
    const app = await another();
    const write = (use: (client: Redis, log: string) => Promise<unknown>) =>
      withRedis(redis.url, (client) => use(client, `${prefix}control`));
    const as = (user: string) => app.connect('/rooms/a', { headers: { 'x-user': user } });
    const last = () =>
      write((client, log) => client.xrevrange(log, '+', '-', 'COUNT', 1)).then(
        (entries) => (entries as [string, string[]][])[0]![0],
      );
    return { ...app, another, write, as, last, lines };
  };

  it('is passed over when it is no command', async () => {
    const { as, sse, write, lines } = await start();
    const ann = await as('ann');
    await write(async (client, log) => {
      await client.xadd(log, '*', 'other', 'field');
      await client.xadd(log, '*', 'c', '{"v":1,"id":"x","client":"ann","block":1e999}');
      await client.publish(log, 'nonsense');
    });
    await until(() => lines.filter((line) => line.includes('is no command')).length === 2);
    await sse.send('a', 'hello');
    expect((await ann.next()).data).toBe('hello');
    await sse.disconnect({ client: 'ann' });
    expect((await ann.closed).by).toBe('server');
  });

  it('keeps no instance from later commands when it is a message that names no entry', async () => {
    const { as, write, last, another } = await start();
    const ann = await as('ann');
    const previous = await last();
    // The first of each two has the log read; the second arrives meanwhile.
    await write(async (client, log) => {
      const messages = client.pipeline();
      for (let i = 0; i < 50; i++) {
        messages.publish(log, 'nonsense').publish(log, `${previous} nonsense\n{}`);
      }
      await messages.exec();
    });
    const { sse } = await another();
    await sse.disconnect({ client: 'ann' });
    expect((await ann.closed).by).toBe('server');
  });

  it('stops no commands once a key of another type is gone from its place', async () => {
    const { as, sse, write, lines } = await start();
    const ann = await as('ann');
    await write(async (client, log) => {
      await client.del(log);
      await client.set(log, 'text');
      await client.publish(log, 'nonsense');
    });
    await until(() => lines.some((line) => line.includes('holds another type')));
    await expect(sse.disconnect({ client: 'bob' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await write((client, log) => client.del(log));
    // What stood there was lost.
    expect((await ann.closed).by).toBe('server');
    await sse.disconnect({ client: 'bob' });
  });
});
