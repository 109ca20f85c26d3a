import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { SseModuleOptions } from '../../lib/index.js';
import { recordKey } from '../../lib/sources/redis/once-record.js';
import { clusterRig } from '../redis/cluster-rig.js';
import { withRedis } from '../redis/instances.js';
import { inStep, startSentinelGroup } from '../redis/topologies.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { arrived, dataOf } from './arrived.js';

describe('An idempotency key in Redis', () => {
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis();
    admin = new Redis(server.url);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });
  afterEach(async () => {
    await closeApps();
    await admin.flushall();
  });

  const start = async (options: SseModuleOptions = {}) =>
    (await startApp({ options: { broker: 'redis', redis: server.url, ...options } })).sse;

  it('is known to an instance that starts later', async () => {
    const first = await (await start()).send('a', 'b', { idempotencyKey: 'k' });
    await closeApps();
    const sse = await start();
    expect(await sse.send('a', 'b', { idempotencyKey: 'k' })).toBe(first);
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['b']);
  });

  it('is a key that expires with the window; events without one leave none', async () => {
    const sse = await start({ idempotencyWindow: 60_000 });
    await sse.send('a', 'plain');
    expect(await admin.keys('sse:once:*')).toEqual([]);
    await sse.sendAll(
      Array.from({ length: 500 }, (_, nth) => ({
        channel: 'a',
        data: nth,
        idempotencyKey: `${nth}`.padEnd(256, 'x'),
      })),
    );
    const keys = await admin.keys('sse:once:*');
    expect(keys).toHaveLength(500);
    expect(Math.max(...keys.map((key) => key.length))).toBeLessThan(50);
    const left = await Promise.all(keys.map((key) => admin.pttl(key)));
    expect(Math.min(...left)).toBeGreaterThan(0);
    expect(Math.max(...left)).toBeLessThanOrEqual(60_000);
  });

  it('is free when Redis has refused its event for want of memory', async () => {
    const sse = await start();
    await admin.config('SET', 'maxmemory', '1');
    await expect(sse.send('a', 'b', { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('OOM'),
    });
    await admin.config('SET', 'maxmemory', '0');
    expect(await admin.keys('sse:once:*')).toEqual([]);
    expect(await sse.sendAll([{ channel: 'a', data: 'b', idempotencyKey: 'k' }])).toMatchObject([
      { status: 'sent', duplicate: false },
    ]);
  });

  it('whose place another program has taken fails with the events behind it, not with those before', async () => {
    const sse = await start();
    const foreign = recordKey('sse:{a}', '1', 'sse:');
    await admin.lpush(foreign, 'another');
    const events = ['0', '1', '2'].map((key) => ({ channel: 'a', data: key, idempotencyKey: key }));
    const others = [{ channel: 'b', data: 'b', idempotencyKey: 'k' }];
    expect(await sse.sendAll([...events, ...others])).toMatchObject([
      { status: 'sent', duplicate: false },
      { status: 'failed', error: { code: 'UNAVAILABLE' } },
      { status: 'failed', error: { code: 'UNAVAILABLE' } },
      { status: 'sent', duplicate: false },
    ]);
    await admin.del(foreign);
    expect(await sse.sendAll(events)).toMatchObject([
      { status: 'sent', duplicate: true },
      { status: 'sent', duplicate: false },
      { status: 'sent', duplicate: false },
    ]);
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['0', '1', '2']);
  });

  it('resolves with the id also when the events went by many calls', async () => {
    const sse = await start({ redisStreams: { retain: { events: 10_000 } } });
    const events = Array.from({ length: 3_000 }, (_, nth) => ({
      channel: `many-${nth % 3}`,
      data: nth,
      idempotencyKey: `${nth >> 1}`,
    }));
    const results = await sse.sendAll([...events, ...events]);
    const first = results.slice(0, 3_000);
    expect(first.every((result) => result.status === 'sent' && !result.duplicate)).toBe(true);
    expect(results.slice(3_000)).toEqual(first.map((result) => ({ ...result, duplicate: true })));
  });
});

describe('An idempotency key in a Redis Cluster', () => {
  const cluster = clusterRig(closeApps);

  it('gives one event to what two instances send at once, on every node', async () => {
    const start = async () =>
      (await startApp({ options: { broker: 'redis', redis: cluster.client() } })).sse;
    const instances = [await start(), await start()];
    const texts = Array.from({ length: 240 }, (_, nth) => `${nth}`);
    const [here, there] = await Promise.all(
      instances.map((sse) =>
        sse.sendAll(
          texts.map((data, nth) => ({
            channel: `slot-${nth % 12}`,
            data,
            idempotencyKey: `key ${data}`,
          })),
        ),
      ),
    );
    const idsIn = (results: typeof here) =>
      results!.map((result) => (result.status === 'sent' ? result.id : result.error));
    expect(idsIn(here)).toEqual(idsIn(there));
    const events = await Promise.all(
      Array.from({ length: 12 }, (_, nth) => arrived(instances[0]!, `slot-${nth}`)),
    );
    expect(dataOf(events.flat()).sort()).toEqual(texts.sort());
  });
});

describe('An idempotency key with Sentinel', () => {
  afterEach(closeApps);

  it('outlasts a failover with its event, and is lost with it', async () => {
    const group = await startSentinelGroup();
    try {
      const { sse } = await startApp({ options: { broker: 'redis', redis: group.options } });
      const kept = await sse.send('kept', 'a', { idempotencyKey: 'k' });
      const [master, replica] = group.servers as [RedisServer, RedisServer];
      await inStep(master);
      // The replica misses what follows.
      process.kill(replica.pid, 'SIGSTOP');
      await withRedis(master.url, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'replica'));
      await sse.send('lost', 'a', { idempotencyKey: 'k' });
      await master.kill();
      process.kill(replica.pid, 'SIGCONT');
      const again = (channel: string) => sse.send(channel, 'a', { idempotencyKey: 'k' });
      await until(() =>
        again('lost').then(
          () => true,
          () => false,
        ),
      );
      expect(await again('kept')).toBe(kept);
      for (const channel of ['kept', 'lost']) {
        const data = dataOf(await arrived(sse, channel));
        expect(data.filter((text) => text === 'a')).toEqual(['a']);
      }
    } finally {
      await closeApps();
      await group.stop();
    }
  });
});
