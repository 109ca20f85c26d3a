import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { RedisKeyStore } from '../../lib/sources/cache/redis/redis-store.js';
import { instance as keysInstance } from '../cache/redis-rig.js';
import { Recorder } from '../cache/recorder.js';
import { count, instance, NONE, stopInstances, withRedis } from './instances.js';

/** A reply that does not come within so many milliseconds costs a connection its life. */
const PATIENCE_MS = 300;
const TEXTS = Array.from({ length: 20 }, (_, n) => `event ${n}`);

let redis: RedisServer;
let proxy: TcpProxy;
let prefix = '';
let tests = 0;

beforeAll(async () => {
  redis = await startRedis();
});

beforeEach(async () => {
  prefix = `sse:${++tests}:`;
  proxy = await startProxy(redis.url);
});

afterEach(async () => {
  await stopInstances();
  await proxy.close();
});

afterAll(async () => {
  await redis.stop();
});

/** A connection through the proxy that gives up early. */
const impatient = () => ({ host: proxy.host, port: proxy.port, socketTimeout: PATIENCE_MS });

describe('A call that arrives late, on an abandoned connection and after its repetition,', () => {
  it.each([['at once', false] as const, ['after later calls', true] as const])(
    'appends no event twice: %s',
    async (_, laterCalls) => {
      const [one, other] = [
        await instance(impatient(), { prefix }),
        await instance(redis.url, { prefix }),
      ];
      const [a, b] = [other.open('a'), other.open('b')];
      await until(() => a.isLive && b.isLive);
      await one.broker.publish('a', { data: 'before' });
      proxy.hold();
      const send = (text: string) => [
        one.broker.publish('a', { data: text }),
        one.broker.publish('b', { data: text }),
      ];
      await Promise.all(TEXTS.flatMap(send));
      if (laterCalls) await Promise.all(send('later'));
      await proxy.deliver();
      await Promise.all(send('last'));
      await until(() => a.data.at(-1) === 'last' && b.data.at(-1) === 'last');
      const sent = [...TEXTS, ...(laterCalls ? ['later'] : []), 'last'];
      expect(count(['before', ...sent], a.data)).toEqual(NONE);
      expect(count(sent, b.data)).toEqual(NONE);
    },
  );

  it.each([['at once', false] as const, ['after later calls', true] as const])(
    'appends no value of sendKey() twice: %s',
    async (_, laterCalls) => {
      const [one, other] = [
        await keysInstance(impatient(), { prefix }),
        await keysInstance(redis.url, { prefix }),
      ];
      const key = `late ${tests}`;
      const reader = Recorder.open(other.source.with({ interval: 10 }), key);
      await one.source.sendKey(key, 'before');
      await until(() => reader.data.length === 1);
      proxy.hold();
      await Promise.all(TEXTS.map((text) => one.source.sendKey(key, text)));
      if (laterCalls) await one.source.sendKey(key, 'later');
      await proxy.deliver();
      await one.source.sendKey(key, 'last');
      await until(() => reader.data.at(-1) === 'last');
      const sent = [...TEXTS, ...(laterCalls ? ['later'] : []), 'last'];
      expect(count(['before', ...sent], reader.data)).toEqual(NONE);
      await one.stop();
      await other.stop();
    },
  );

  it('does not set a key back to an older value', async () => {
    const store = new RedisKeyStore((await instance(impatient(), { prefix })).streams);
    const key = `set ${tests}`;
    const get = () => withRedis(redis.url, (client) => client.get(key));
    await store.set(key, 'before');
    proxy.hold();
    await store.set(key, 'old');
    await withRedis(redis.url, (client) => client.set(key, 'of another program'));
    await proxy.deliver();
    expect(await get()).toBe('of another program');
    await store.stop();
  });
});
