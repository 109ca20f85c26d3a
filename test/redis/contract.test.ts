import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { SseSources } from '../../lib/setup/sse-sources.js';
import { testBroker, testSource } from '../../lib/testing/index.js';
import { configuredBroker, configuredSource } from '../support/configured-source.js';
import { createRedis, type TestRedis } from '../support/databases.js';

let server: TestRedis;
let redis: Redis;
let names = 0;

beforeAll(async () => {
  server = await createRedis();
  redis = new Redis(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await server.drop();
});

const interrupt = () => redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

describe('The broker on Redis keeps the contract: it', () => {
  const tests = testBroker({
    broker: () =>
      configuredBroker({
        redis: server.url,
        broker: 'redis',
        redisStreams: { prefix: server.keyPrefix },
      }),
    channel: () => `broker-${++names}`,
    interrupt,
    trim: (channel) => redis.xtrim(`${server.keyPrefix}{${channel}}`, 'MAXLEN', 1),
    replace: (channel) => redis.del(`${server.keyPrefix}{${channel}}`),
  });
  for (const { name, run } of tests) {
    it(name, run);
  }
});

describe('Keys on Redis keep the contract: a key', () => {
  let sources: SseSources;
  const tests = testSource({
    source: () => {
      const source = configuredSource(
        { redis: server.url, redisStreams: { prefix: server.keyPrefix } },
        ({ cache }) => cache.with({ interval: 20 }),
      );
      ({ sources } = source);
      return source;
    },
    write: (channel, data) => sources.cache.sendKey(channel, data, {}),
    channel: () => `${server.keyPrefix}key-${++names}`,
    interrupt,
  });
  for (const { name, run } of tests) {
    it(name, run);
  }
});
