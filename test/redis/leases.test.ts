import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { LEASE_MS, RedisLeases, RENEW_MS } from '../../lib/sources/redis/redis-leases.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { instance, stopInstances, type Instance } from './instances.js';

let server: RedisServer;
let redis: Redis;
let proxy: TcpProxy;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  proxy = await startProxy(server.url);
});

afterEach(() => stopInstances());

afterAll(async () => {
  redis.disconnect();
  await proxy.close();
  await server.stop();
});

/** Counts the calls of an instance that name a key. */
async function countCalls({ connection }: Instance, key: string): Promise<() => number> {
  let calls = 0;
  const client = await until(() => connection.client().catch(() => undefined));
  const call = client.call.bind(client);
  client.call = (...command) => {
    calls += command.includes(key) ? 1 : 0;
    return call(...command);
  };
  return () => calls;
}

describe('A lease in Redis', () => {
  it('goes to another instance 2.5 seconds after its holder has died, at the latest', async () => {
    expect(LEASE_MS + RENEW_MS).toBe(2_500);
    const holder = new RedisLeases((await instance(proxy.url(server.url))).streams);
    const instead = await instance(server.url);
    const other = new RedisLeases(instead.streams);
    const key = holder.keyOf('right');
    const held = holder.claim('right', () => undefined);
    await until(() => held.isHeld);
    const attempts = await countCalls(instead, key);
    const wanted = other.claim('right', () => undefined);
    // The claim itself, the subscription, and the first attempts of the timer.
    await until(() => attempts() >= 4);
    proxy.freeze();
    const before = attempts();
    // Redis keeps the lease no longer than this after the holder's last renewal …
    expect(await redis.pttl(key)).toBeLessThanOrEqual(LEASE_MS);
    await until(() => wanted.isHeld);
    expect(held.isHeld).toBe(false);
    // … and of this many attempts, one every RENEW_MS, the last comes after that time.
    expect(attempts() - before).toBeLessThanOrEqual(LEASE_MS / RENEW_MS + 1);
    proxy.thaw();
  });
});
