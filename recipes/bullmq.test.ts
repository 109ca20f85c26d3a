import { deepEqual, equal } from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { startRedis, type RedisServer } from '../test/support/redis.js';
import { until } from '../test/support/until.js';
import { ADAPTERS, closeAll, start } from './support/start.js';

describe('a job of BullMQ as a run', () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
    process.env['REDIS_URL'] = redis.url;
  });
  after(() => redis.stop());
  afterEach(closeAll);

  for (const adapter of ADAPTERS) {
    it(`is followed by pages on ${adapter}`, async () => {
      const { AppModule } = await import('./bullmq.js');
      const { url, connect } = await start(AppModule, adapter);
      const id = `of ${adapter}`;
      const path = `/imports/${encodeURIComponent(id)}`;
      // Before Redis is there, clients are sent away for a while.
      await until(async () => (await connect(`${path}/events`)).opened.status === 204, {
        what: '204 without a run',
      });
      equal((await fetch(url + path, { method: 'POST' })).status, 202);
      const page = await until(
        async () => {
          const client = await connect(`${path}/events`);
          return client.opened.status === 200 && client;
        },
        { what: 'the run of the job' },
      );
      equal((await page.closed).by, 'server');
      deepEqual(
        page.events.map(({ type, data }) => [type, data]),
        [
          ...[0, 25, 50, 75, 100].map((percent) => ['progress', JSON.stringify({ id, percent })]),
          ['message', '[DONE]'],
        ],
      );
      equal((await page.reconnect()).opened.status, 204);
    });
  }
});
