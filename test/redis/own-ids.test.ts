import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import { RedisKeyStore } from '../../lib/sources/cache/redis/redis-store.js';
import { hashSlot } from '../../lib/sources/redis/hash-slot.js';
import { digestOf, indexKey, placeOf } from '../../lib/sources/redis/own-ids.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { instance, Recorded, stopInstances, type Instance } from './instances.js';

let server: RedisServer;
let admin: Redis;

beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url, { disconnectTimeout: 100 });
});

afterEach(stopInstances);

afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

const dataAfter = async (one: Instance, channel: string, id: string) => {
  const { events, reset } = await one.open(channel).feed.history!.read(id, 1_000);
  return reset ?? events.map(({ data }) => data);
};

/** How many bytes the server has sent so far. */
const sentBytes = async () =>
  Number(/total_net_output_bytes:(\d+)/.exec(await admin.info('stats'))![1]);

it('The history rejects a foreign position without reading an event', async () => {
  const one = await instance(server.url, { auditInterval: 60_000, retain: { events: 10_000 } });
  const sends = Array.from({ length: 2_000 }, (_, n) =>
    one.broker.publish('large', { data: 'x'.repeat(1_000), id: `own ${n}` }),
  );
  await Promise.all(sends);
  const there = one.open('large');
  await until(() => there.isLive);
  const unknown = ['nonsense', 'own 2000', 'ä😀', '0-1', '9999999999999-0', '1800000000000000-5'];
  const before = await sentBytes();
  const reasons = await Promise.all(
    Array.from({ length: 120 }, async (_, n) => {
      const page = await there.feed.history!.read(unknown[n % 6]!, 256);
      return page.reset;
    }),
  );
  expect(reasons.slice(0, 6)).toEqual([
    'unknown-position',
    'unknown-position',
    'unknown-position',
    'trimmed',
    'failover',
    'failover',
  ]);
  // 240 MB before, 2 MB for each.
  expect((await sentBytes()) - before).toBeLessThan(120 * 200);
});

it('A client resumes behind an id of the publisher, wherever its event is, on another instance', async () => {
  const [one, two] = [await instance(server.url), await instance(server.url)];
  const texts = ['alone', 'ä', '😀', '"quoted"', '"i":"x"}', '5-5-5', 'x'.repeat(1_024)];
  const sent: string[] = [];
  for (const id of texts) {
    sent.push(id);
    await one.broker.publish('own', { data: id, id, type: 't' });
  }
  const turn = Array.from({ length: 500 }, (_, n) => `turn ${n}`);
  await Promise.all(turn.map((id) => one.broker.publish('own', { data: id, id })));
  sent.push(...turn);
  for (const id of [...texts, 'turn 0', 'turn 250', 'turn 499']) {
    expect(await dataAfter(two, 'own', id)).toEqual(sent.slice(sent.indexOf(id) + 1));
  }
});

it('A client resumes behind an id of the publisher among so many in one millisecond that the index is not exact', async () => {
  const one = await instance(server.url, { retain: { events: 20_000 } });
  const there = one.open('crowded');
  await until(() => there.isLive);
  // A clock that was ahead: all that follows has the same milliseconds.
  const ahead = Date.now() + 3_600_000;
  await admin.xadd('sse:{crowded}', `${ahead}-0`, 'm', '', 'd', 'ahead', 'b', '5', 'n', '1');
  const own = Array.from({ length: 6_000 }, (_, n) => `own ${n}`);
  await Promise.all(own.map((id) => one.broker.publish('crowded', { data: id, id })));
  for (const n of [0, 4_093, 4_094, 4_095, 4_096, 5_998]) {
    const { events } = await there.feed.history!.read(`own ${n}`, 1);
    expect(events.map(({ data }) => data)).toEqual([`own ${n + 1}`]);
  }
  expect(await dataAfter(one, 'crowded', 'own 6000')).toBe('unknown-position');
});

it("The index of the publisher's ids is trimmed with its stream, expires with it, and starts again with it", async () => {
  const one = await instance(server.url, { retain: { events: 100, age: 20_000 } });
  for (let turn = 0; turn < 40; turn++) {
    const sends = Array.from({ length: 25 }, (_, n) =>
      one.broker.publish('trimmed', { data: 'x', id: `own ${turn}.${n}` }),
    );
    await Promise.all(sends);
  }
  const index = 'sse:ids:{trimmed}';
  const retained = await admin.zcard(index);
  expect(retained).toBeGreaterThanOrEqual(100);
  expect(retained).toBeLessThanOrEqual(100 + 128 + 64 + 2 * 25);
  expect(await dataAfter(one, 'trimmed', 'own 0.0')).toBe('unknown-position');
  expect(await admin.pttl(index)).toBeGreaterThan(19_000);
  // Noted, and no longer there.
  const [first] = (await admin.call('ZRANGE', index, '0', '0')) as string[];
  await admin.call('ZADD', index, 'XX', '1', first!);
  await admin.call('XTRIM', 'sse:{trimmed}', 'MAXLEN', '1');
  const id = Array.from({ length: 1_000 }, (_, n) => `own ${Math.floor(n / 25)}.${n % 25}`).find(
    (own) => digestOf(own) === first,
  )!;
  expect(await dataAfter(one, 'trimmed', id)).toBe('trimmed');
  await admin.del('sse:{trimmed}');
  await one.broker.publish('trimmed', { data: 'anew', id: 'anew' });
  expect(await admin.zcard(index)).toBe(1);
});

it('A client resumes behind an id given to sendKey()', async () => {
  const [one, two] = [await instance(server.url), await instance(server.url)];
  const sources = [one, two].map(
    ({ streams, log }) => new CacheSource(new RedisKeyStore(streams), log),
  );
  const [here, there] = sources.map((source) => {
    const recorded = new Recorded(source.with({ interval: 10 }), 'key');
    recorded.feed.resume?.();
    return recorded;
  });
  await until(() => here!.isLive && there!.isLive);
  const ids = ['a', 'ä"\\', '"i":"', '😀', 'last'];
  for (const id of ids) {
    await sources[0]!.sendKey('key', `data of ${id}`, {
      id,
      type: id === 'a' ? undefined : 't"i"',
    });
  }
  await until(() => there!.events.length === ids.length);
  for (const [n, id] of ids.entries()) {
    const { events } = await there!.feed.history!.read(id, 10);
    expect(events.map(({ id: own }) => own)).toEqual(ids.slice(n + 1));
  }
  expect(await there!.feed.history!.read('none', 10)).toMatchObject({ reset: 'unknown-position' });
  await Promise.all(sources.map((source) => source.stop()));
});

it("The index of the publisher's ids lies in the slot of its stream, and no stream's name is an index's name", () => {
  for (const stream of ['sse:{a}', 'sse:{a b}:key:{x}', 'sse:{job:1}:key:job:1']) {
    expect(hashSlot(indexKey(stream, 'sse:'))).toBe(hashSlot(stream));
    expect(indexKey(stream, 'sse:')).toMatch(/^sse:ids:\{/);
  }
  expect(placeOf((1_800_000_000_000 - 1_704_067_200_000) * 4_096 + 7)).toEqual({
    id: '1800000000000-7',
    isExact: true,
  });
  expect(placeOf(-1)).toEqual({ id: '1704067199999-4095', isExact: false });
});

it("Without the rights for the index, events arrive, and the publisher's ids are unknown positions", async () => {
  const rights = ['resetchannels', '&*', '~*', '+@all', '-zadd', '-zscore', '-zremrangebyscore'];
  await admin.call('ACL', 'SETUSER', 'before', 'on', '>x', ...rights);
  const one = await instance(server.url.replace('redis://', 'redis://before:x@'));
  const there = one.open('rights');
  await until(() => there.isLive);
  const ids: string[] = [];
  for (let n = 0; n < 130; n++) {
    ids.push(await one.broker.publish('rights', { data: String(n), id: `own ${n}` }));
  }
  await until(() => there.events.length === 130);
  expect(await dataAfter(one, 'rights', ids[127]!)).toEqual(['128', '129']);
  expect(await dataAfter(one, 'rights', 'own 127')).toBe('unknown-position');
});
