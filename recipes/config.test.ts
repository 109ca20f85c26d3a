import { equal, rejects } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { startRedis } from '../test/support/redis.js';
import { AppModule } from './config.js';
import { ADAPTERS, closeAll, createApp, start } from './support/start.js';

describe('options from ConfigService', () => {
  afterEach(async () => {
    await closeAll();
    delete process.env['REDIS_URL'];
    delete process.env['SSE_CONNECTIONS'];
  });

  for (const adapter of ADAPTERS) {
    it(`connect instances by Redis where the environment names one, on ${adapter}`, async () => {
      const redis = await startRedis();
      try {
        process.env['REDIS_URL'] = redis.url;
        const one = await start(AppModule, adapter);
        const other = await start(AppModule, adapter);
        const client = await one.connect('/news');
        await other.sse.send('news', 'from the other');
        equal((await client.next()).data, 'from the other');
        await closeAll();
      } finally {
        await redis.stop();
      }
    });
  }

  it('keep channels in the process where it names none', async () => {
    const one = await start(AppModule);
    const client = await one.connect('/news');
    await (await start(AppModule)).sse.send('news', 'from another process');
    await one.sse.send('news', 'from this one');
    equal((await client.next()).data, 'from this one');
  });

  it('limit connections by the number that the environment holds', async () => {
    process.env['SSE_CONNECTIONS'] = '1';
    const { connect, sse } = await start(AppModule);
    await connect('/news');
    equal((await (await connect('/news')).closed).by, 'server');
    equal(sse.stats().refused.capacity, 1);
  });

  for (const [name, value, message] of [
    ['SSE_CONNECTIONS', 'many', /limits\.connections/],
    ['REDIS_URL', 'localhost', /redis/],
  ] as const) {
    it(`keep the application from starting when ${name} is "${value}"`, async () => {
      process.env[name] = value;
      await rejects(createApp(AppModule, 'express'), message);
    });
  }
});
