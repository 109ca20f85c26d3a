import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import { RedisKeyStore } from '../../lib/sources/cache/redis/redis-store.js';
import { readOptions } from '../../lib/sources/options/option-table.js';
import { REDIS_STREAMS_OPTIONS } from '../../lib/sources/redis/redis-streams.options.js';
import { RedisTicketStore } from '../../lib/tickets/redis-ticket-store.js';
import { projectRoot } from '../support/project-root.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import type { PresenceStore } from '../../lib/channel/presence.js';
import { RecordingSink, seat } from '../presence/store-rig.js';
import { instance, Recorded, stopInstances, withRedis, type Instance } from './instances.js';
import { commandsOf } from './topologies.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterEach(stopInstances);

afterAll(async () => {
  await server.stop();
});

/** The rights that docs/redis.md lists, without those for commands that this server lacks. */
async function documentedRights(): Promise<string[]> {
  const text = await readFile(join(projectRoot, 'docs/redis.md'), 'utf8');
  const [, rights] = /^ACL SETUSER sse on '>secret' ([^]*?)^```/m.exec(text)!;
  const commands = await withRedis(server.url, commandsOf);
  return rights!
    .trim()
    .split(/[\s\\]+/)
    .filter((right) => !right.startsWith('+') || commands.has(right.slice(1).split('|')[0]!));
}

/** One comes, another leaves with its instance. */
async function useStores(one: Instance, two: Instance): Promise<void> {
  const [first, second] = [one, two].map(({ broker }) =>
    broker.openPresence(new RecordingSink(), { timeout: 3_000 }),
  ) as [PresenceStore, PresenceStore];
  await first.put([seat('allowed', 'ann'), seat('allowed', undefined)]);
  await second.put([seat('allowed', 'bob')]);
  await first.close(0);
  await until(async () => (await second.count('allowed')).connections === 1);
  expect((await second.list('allowed', 'ann', 10)).members).toMatchObject([{ id: 'bob' }]);
}

describe('A user with the documented rights', () => {
  it('can do all that we need, and nothing else', async () => {
    const rights = await documentedRights();
    await withRedis(server.url, (admin) =>
      admin.call('ACL', 'SETUSER', 'sse', 'on', '>secret', ...rights, '~job:*'),
    );
    const url = server.url.replace('redis://', 'redis://sse:secret@');
    const [one, two] = [await instance(url), await instance(url)];
    const there = two.open('allowed');
    await until(() => there.isLive);
    await Promise.all(['a', 'b'].map((data) => one.broker.publish('allowed', { data })));
    await until(() => there.events.length === 2);
    expect((await there.feed.history!.read(undefined, 10)).events).toHaveLength(2);
    const source = new CacheSource(new RedisKeyStore(two.streams), two.log).with({
      interval: 10,
      poller: 'elected',
    }) as CacheSource;
    const job = new Recorded(source, 'job:1');
    job.feed.resume?.();
    await until(() => job.isLive);
    await withRedis(server.url, (admin) => admin.set('job:1', 'done'));
    await until(() => job.events.length === 1);
    const tickets = new RedisTicketStore(one.streams.connection, 'sse:', one.log);
    await tickets.put('digest', 'Ann', 30_000);
    expect(await tickets.take('digest')).toBe('Ann');
    expect(await tickets.take('digest')).toBeUndefined();
    await useStores(one, two);
    expect([one.log, two.log].flatMap(({ errors, lines }) => [...errors, ...lines])).toEqual([]);
    await withRedis(url, async (sse) => {
      await expect(sse.get('other')).rejects.toThrow('NOPERM');
      await expect(sse.flushall()).rejects.toThrow('NOPERM');
    });
  });

  it('gets an error that points to docs/redis.md once one of the rights is missing', async () => {
    const rights = (await documentedRights()).filter(
      (right) => right !== '+xadd' && right !== '+getdel',
    );
    await withRedis(server.url, (admin) =>
      admin.call('ACL', 'SETUSER', 'less', 'on', '>secret', ...rights),
    );
    const one = await instance(server.url.replace('redis://', 'redis://less:secret@'));
    await expect(one.broker.publish('denied', { data: 'a' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('docs/redis.md'),
    });
    const tickets = new RedisTicketStore(one.streams.connection, 'sse:', one.log);
    await tickets.put('digest', 'Ann', 30_000);
    await expect(tickets.take('digest')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    // Whoever comes with a ticket is answered with 503: nobody else would tell why.
    expect(one.log.errors).toEqual([expect.stringMatching(/^A ticket .* docs\/redis\.md\.$/)]);
  });
});

describe('A client of the application', () => {
  it('is neither changed, nor used to subscribe, nor closed', async () => {
    const users = new Redis(server.url, { keyPrefix: 'mine:', connectionName: 'users' });
    try {
      const options = { ...users.options };
      const listeners = users.eventNames().map((name) => [name, users.listenerCount(name)]);
      const [one, two] = [await instance(users), await instance(users)];
      const there = two.open('prefixed');
      await until(() => there.isLive);
      const tickets = new RedisTicketStore(one.streams.connection, 'sse:', one.log);
      await tickets.put('digest', 'Ann', 30_000);
      expect(await users.exists('sse:ticket:digest')).toBe(1);
      expect(await tickets.take('digest')).toBe('Ann');
      await one.broker.publish('prefixed', { data: 'a' });
      await until(() => there.events.length === 1);
      await useStores(one, two);
      expect(await users.exists('sse:{prefixed}')).toBe(1);
      await withRedis(server.url, async (admin) => {
        expect(await admin.exists('mine:sse:{prefixed}')).toBe(1);
      });
      await stopInstances();
      expect(users.options).toEqual(options);
      expect(users.eventNames().map((name) => [name, users.listenerCount(name)])).toEqual(
        listeners,
      );
      expect(users.mode).toBe('normal');
      expect(await users.ping()).toBe('PONG');
    } finally {
      users.disconnect();
    }
  });

  it('may speak the older protocol', async () => {
    const users = new Redis(server.url, { protocol: 2 });
    try {
      const one = await instance(users);
      const there = one.open('resp2');
      await until(() => there.isLive);
      await one.broker.publish('resp2', { data: 'a' });
      await until(() => there.events.length === 1);
    } finally {
      await stopInstances();
      users.disconnect();
    }
  });
});

describe('The options of redisStreams', () => {
  it.each([
    [{ prefix: 'a{b' }, 'redisStreams.prefix'],
    [{ retain: { events: 0 } }, 'redisStreams.retain.events'],
    [{ retain: { events: Infinity } }, 'redisStreams.retain.events'],
    [{ retain: { bytes: 1.5 } }, 'redisStreams.retain.bytes'],
    [{ retain: { age: 9_999 } }, 'redisStreams.retain.age'],
    [{ sendTimeout: 0 }, 'redisStreams.sendTimeout'],
    [{ minReplicas: -1 }, 'redisStreams.minReplicas'],
    [{ auditInterval: 99 }, 'redisStreams.auditInterval'],
    [{ nonsense: 1 }, 'There is no option `redisStreams.nonsense`'],
    [null, 'redisStreams'],
  ])('%j lead to an error', (options, named) => {
    expect(() => readOptions(REDIS_STREAMS_OPTIONS, options, 'redisStreams')).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(named),
      }),
    );
  });

  it('accept Infinity as `retain.age` and as `retain.bytes`', () => {
    expect(
      readOptions(REDIS_STREAMS_OPTIONS, { retain: { age: Infinity, bytes: Infinity } }),
    ).toMatchObject({
      retain: { age: Infinity, bytes: Infinity, events: 1_000 },
    });
  });
});
