import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { commandCounts } from '../cache/redis-rig.js';
import { instance, stopInstances, withRedis } from '../redis/instances.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { RecordingSink, seat } from './store-rig.js';

const COUNT = 2_000;

describe('On Redis, presence', () => {
  let server: RedisServer;

  beforeAll(async () => void (server = await startRedis()));
  afterEach(stopInstances);
  afterAll(() => server.stop());

  const scripts = () =>
    withRedis(server.url, async (redis) => (await commandCounts(redis)).get('evalsha') ?? 0);
  /** When the instance has last shown that it lives. */
  const beat = () => withRedis(server.url, (redis) => redis.zscore('sse:{presence}:instances', ''));

  it('takes one call for many changes, and one call now and then for all connections', async () => {
    const { broker } = await instance(server.url, { auditInterval: 60_000 });
    const store = broker.openPresence(new RecordingSink(), { timeout: 3_000 });
    await store.put([seat('a', 'first')]);
    const before = await scripts();
    const seats = Array.from({ length: COUNT }, (_, nth) => seat('a', `client ${nth}`));
    await store.put(seats);
    const joined = await scripts();
    expect(joined - before).toBeLessThan(COUNT / 50);
    let [beats, last] = [0, await beat()];
    await until(async () => {
      const next = await beat();
      beats += next === last ? 0 : 1;
      last = next;
      return beats === 3;
    });
    expect((await scripts()) - joined).toBeLessThan(10);
    expect(await store.count('a')).toEqual({ members: COUNT + 1, connections: COUNT + 1 });
  });
});
