import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startProxy } from '../support/proxy.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { count, instance, NONE, stopInstances, withRedis, type Recorded } from './instances.js';
import { startLoad } from './load.js';

afterEach(stopInstances);

const CHANNELS = ['a', 'b', 'c'];

/** Waits until nothing more is missing, or the deadline has passed. */
async function settled(recorded: readonly Recorded[], expected: (channel: number) => string[]) {
  const isComplete = () =>
    recorded.every((one, n) => count(expected(n % CHANNELS.length), one.data).lost === 0);
  await until(isComplete, { every: 50 }).catch(() => undefined);
}

describe('On a server without persistence', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis();
  });

  afterAll(async () => {
    await server.stop();
  });

  it('no event is lost or repeated while connections are killed at random', async () => {
    const instances = [await instance(server.url), await instance(server.url)];
    const recorded = instances.flatMap((one) => CHANNELS.map((channel) => one.open(channel)));
    await until(() => recorded.every((one) => one.isLive));
    const load = startLoad(() => instances, CHANNELS);
    const end = performance.now() + sized({ quick: 3_000, soak: 30_000 });
    let kills = 0;
    await withRedis(server.url, async (admin) => {
      // On a busy machine it takes longer to happen often enough.
      while (performance.now() < end || kills <= 5 || load.sent <= 1_000) {
        const list = String(await admin.client('LIST')).split('\n');
        const ours = list.filter((line) => line.includes('name=nestjs-sse'));
        const victim = ours[Math.floor(Math.random() * ours.length)];
        const id = /id=(\d+)/.exec(victim ?? '')?.[1];
        if (id && Math.random() < 0.2) {
          kills += Number(await admin.client('KILL', 'ID', Number(id)));
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    await load.stop();
    await settled(recorded, (n) => load.accepted(CHANNELS[n]!));
    const counts = recorded.map((one, n) => count(load.accepted(CHANNELS[n % 3]!), one.data));
    expect({ counts, rejected: load.rejected }).toEqual({
      counts: recorded.map(() => NONE),
      rejected: 0,
    });
    expect(recorded.flatMap((one) => one.resets)).toEqual([]);
    expect(kills).toBeGreaterThan(5);
    expect(load.sent).toBeGreaterThan(1_000);
  });

  it('no event is lost when somebody flushes the scripts under load', async () => {
    const instances = [await instance(server.url), await instance(server.url)];
    const recorded = instances.flatMap((one) => CHANNELS.map((channel) => one.open(channel)));
    await until(() => recorded.every((one) => one.isLive));
    const load = startLoad(() => instances, CHANNELS);
    await withRedis(server.url, async (admin) => {
      for (let n = 0; n < 100; n++) {
        await admin.script('FLUSH');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    await load.stop();
    await settled(recorded, (n) => load.accepted(CHANNELS[n]!));
    const counts = recorded.map((one, n) => count(load.accepted(CHANNELS[n % 3]!), one.data));
    expect(counts).toEqual(recorded.map(() => NONE));
    expect(load.rejected).toBe(0);
  });

  it('the instance notices a frozen connection, and reads what it missed', async () => {
    const proxy = await startProxy(server.url);
    try {
      const [behind, direct] = [await instance(proxy.url(server.url)), await instance(server.url)];
      const there = behind.open('frozen');
      await until(() => there.isLive);
      proxy.freeze();
      const sent = Array.from({ length: 50 }, (_, n) => `while frozen ${n}`);
      await Promise.all(sent.map((data) => direct.broker.publish('frozen', { data })));
      await until(() => behind.connection.outage.lasts);
      proxy.cut();
      proxy.thaw();
      await until(() => there.events.length >= 50);
      await direct.broker.publish('frozen', { data: 'after' });
      await until(() => there.events.length >= 51);
      expect(count([...sent, 'after'], there.data)).toEqual(NONE);
      expect(there.resets).toEqual([]);
    } finally {
      await proxy.close();
    }
  });

  it('events sent on a frozen connection arrive once and in order', async () => {
    const proxy = await startProxy(server.url);
    try {
      const [behind, direct] = [await instance(proxy.url(server.url)), await instance(server.url)];
      const there = direct.open('frozen sender');
      await until(() => there.isLive);
      await behind.broker.publish('frozen sender', { data: '0' });
      const sent = Array.from({ length: 60 }, (_, n) => `${n + 1}`);
      const sends = sent
        .slice(0, 30)
        .map((data) => behind.broker.publish('frozen sender', { data }));
      // Some of it has left already, some has not; the replies do not come back.
      setImmediate(() => proxy.freeze());
      await until(() => proxy.accepted > 2);
      sends.push(...sent.slice(30).map((data) => behind.broker.publish('frozen sender', { data })));
      proxy.cut();
      proxy.thaw();
      expect(new Set(await Promise.all(sends)).size).toBe(60);
      await until(() => there.events.length >= 61);
      expect(count(['0', ...sent], there.data)).toEqual(NONE);
    } finally {
      await proxy.close();
    }
  });

  it('the next comparison of streams finds an entry whose message was lost', async () => {
    const one = await instance(server.url, { auditInterval: 200 });
    const there = one.open('quiet');
    await until(() => there.isLive);
    await withRedis(server.url, (admin) =>
      admin.xadd('sse:{quiet}', '*', 'm', '', 'd', 'unpublished', 'b', '11'),
    );
    await until(() => there.events.length === 1);
    expect(there.data).toEqual(['unpublished']);
    expect(there.resets).toEqual([]);
  });

  it('readers get a reset for events trimmed before they could read them', async () => {
    const proxy = await startProxy(server.url);
    try {
      const behind = await instance(proxy.url(server.url), { retain: { events: 10 } });
      const direct = await instance(server.url, { retain: { events: 10 } });
      const there = behind.open('burst');
      await until(() => there.isLive);
      await direct.broker.publish('burst', { data: 'first' });
      await until(() => there.events.length === 1);
      proxy.refuse();
      proxy.cut();
      for (let n = 0; n < 5; n++) {
        await Promise.all(
          Array.from({ length: 200 }, () => direct.broker.publish('burst', { data: 'missed' })),
        );
      }
      proxy.accept();
      await until(() => there.resets.length === 1);
      expect(there.resets).toEqual([{ reason: 'trimmed', after: 1 }]);
      await direct.broker.publish('burst', { data: 'next' });
      await until(() => there.data.at(-1) === 'next');
      expect(there.data).toEqual(['first', 'next']);
    } finally {
      await proxy.close();
    }
  });

  it('send() rejects when the server has no memory, and loses nothing silently', async () => {
    const one = await instance(server.url);
    const there = one.open('oom');
    await until(() => there.isLive);
    await withRedis(server.url, async (admin) => {
      await one.broker.publish('oom', { data: 'before' });
      await admin.config('SET', 'maxmemory', '1');
      try {
        // Not awaited: this must neither end the process nor fill the log.
        void one.broker.publish('oom', { data: 'refused' });
        await expect(one.broker.publish('oom', { data: 'refused' })).rejects.toMatchObject({
          code: 'UNAVAILABLE',
          message: expect.stringContaining('no memory left'),
        });
      } finally {
        await admin.config('SET', 'maxmemory', '0');
      }
      await one.broker.publish('oom', { data: 'after' });
      await until(() => there.events.length === 2);
      expect(there.data).toEqual(['before', 'after']);
    });
  });

  it('a log line names a key of another type, and the channel goes live once that key is gone', async () => {
    await withRedis(server.url, async (admin) => {
      await admin.set('sse:{taken}', 'a string');
      const one = await instance(server.url);
      const there = one.open('taken');
      await until(() => one.log.errors.length > 0);
      expect(one.log.errors[0]).toContain('holds another type under the key "sse:{taken}"');
      await expect(one.broker.publish('taken', { data: 'x' })).rejects.toThrow(
        'holds another type under the key "sse:{taken}"',
      );
      expect(there.isLive).toBe(false);
      await admin.del('sse:{taken}');
      await until(() => there.isLive);
      await one.broker.publish('taken', { data: 'x' });
      await until(() => there.events.length === 1);
    });
  });

  it.each([-1, 1])('a jump of the clock by %i hours changes nothing', async (hours) => {
    const channel = `clock ${hours}`;
    const one = await instance(server.url);
    const there = one.open(channel);
    await until(() => there.isLive);
    await one.broker.publish(channel, { data: 'before' });
    if (hours > 0) {
      // The clock was ahead when this was appended, and is right again from here on.
      const ahead = Date.now() + hours * 3_600_000;
      await withRedis(server.url, (admin) =>
        admin.xadd(`sse:{${channel}}`, `${ahead}-7`, 'm', '', 'd', 'ahead', 'b', '11'),
      );
    }
    const now = Date.now;
    Date.now = () => now() + hours * 3_600_000;
    try {
      await Promise.all(['1', '2', '3'].map((data) => one.broker.publish(channel, { data })));
      await until(() => there.data.at(-1) === '3');
    } finally {
      Date.now = now;
    }
    expect(there.data).toEqual(['before', ...(hours > 0 ? ['ahead'] : []), '1', '2', '3']);
    expect(there.resets).toEqual([]);
    const position = there.events[0]!.position;
    const page = await there.feed.history!.read(position, 10);
    expect(page.events.map((event) => event.data)).toEqual(there.data.slice(1));
  });

  it.each(['allkeys-lru', 'volatile-ttl'])(
    'a warning at start-up names the eviction policy %s',
    async (policy) => {
      await withRedis(server.url, async (admin) => {
        await admin.config('SET', 'maxmemory', '1gb');
        await admin.config('SET', 'maxmemory-policy', policy);
        try {
          const one = await instance(server.url);
          await until(() => one.log.lines.length > 0);
          expect(one.log.lines).toEqual([expect.stringContaining(`maxmemory-policy ${policy}`)]);
        } finally {
          await admin.config('SET', 'maxmemory', '0');
          await admin.config('SET', 'maxmemory-policy', 'noeviction');
        }
      });
    },
  );

  it('readers get a reset when the server evicts their stream', async () => {
    const one = await instance(server.url, { auditInterval: 200 });
    const there = one.open('evicted');
    await until(() => there.isLive);
    await one.broker.publish('evicted', { data: 'before' });
    await until(() => there.events.length === 1);
    await withRedis(server.url, (admin) => admin.del('sse:{evicted}'));
    await one.broker.publish('evicted', { data: 'right after' });
    await until(() => there.resets.length > 0);
    await one.broker.publish('evicted', { data: 'later' });
    await until(() => there.data.at(-1) === 'later');
    expect(there.resets[0]!.reason).toBe('failover');
    expect(count(['before', 'later'], there.data)).toEqual(NONE);
  });

  it('send() rejects when the server does not accept it in time, awaited or not', async () => {
    const proxy = await startProxy(server.url);
    try {
      const one = await instance(proxy.url(server.url), { sendTimeout: 300 });
      await one.broker.publish('slow', { data: 'before' });
      proxy.refuse();
      proxy.cut();
      void one.broker.publish('slow', { data: 'not awaited' });
      await expect(one.broker.publish('slow', { data: 'awaited' })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('sendTimeout'),
      });
      proxy.accept();
      await until(() =>
        one.broker.publish('slow', { data: 'after' }).then(
          () => true,
          () => false,
        ),
      );
    } finally {
      await proxy.close();
    }
  });

  it("no event is repeated by an application's client that sends unacknowledged commands again", async () => {
    const proxy = await startProxy(server.url);
    const users = new Redis(proxy.url(server.url), { maxRetriesPerRequest: null });
    users.on('error', () => undefined);
    try {
      const one = await instance(users);
      const there = (await instance(server.url)).open('resent');
      await until(() => there.isLive);
      const load = startLoad(() => [one], ['resent']);
      for (let n = 0; n < sized({ quick: 20, soak: 200 }); n++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        proxy.cut();
      }
      await load.stop();
      const accepted = load.accepted('resent');
      await until(() => count(accepted, there.data).lost === 0);
      expect(count(accepted, there.data)).toEqual(NONE);
      expect(load.rejected).toBe(0);
      expect(users.options.autoResubscribe).toBe(true);
      await one.stop();
      expect(users.status).not.toBe('end');
    } finally {
      users.disconnect();
      await proxy.close();
    }
  });
});

describe('A restart of the server', () => {
  it('loses no event when the server keeps its data', async () => {
    const server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    try {
      const instances = [await instance(server.url), await instance(server.url)];
      const recorded = instances.flatMap((one) => CHANNELS.map((channel) => one.open(channel)));
      await until(() => recorded.every((one) => one.isLive));
      const load = startLoad(() => instances, CHANNELS);
      for (let n = 0; n < sized({ quick: 2, soak: 10 }); n++) {
        await until(() => load.sent > (n + 1) * 500);
        await server.kill();
        await server.start();
      }
      await until(() => load.sent > 2_000);
      await load.stop();
      await settled(recorded, (n) => load.accepted(CHANNELS[n]!));
      const counts = recorded.map((one, n) => count(load.accepted(CHANNELS[n % 3]!), one.data));
      expect({ counts, rejected: load.rejected }).toEqual({
        counts: recorded.map(() => NONE),
        rejected: 0,
      });
      expect(recorded.flatMap((one) => one.resets)).toEqual([]);
    } finally {
      await stopInstances();
      await server.stop();
    }
  });

  it('causes a reset for every reader when the server loses its data, on idle channels too', async () => {
    const server = await startRedis();
    try {
      const instances = [await instance(server.url), await instance(server.url)];
      const recorded = instances.flatMap((one) =>
        [...CHANNELS, 'idle'].map((channel) => one.open(channel)),
      );
      await until(() => recorded.every((one) => one.isLive));
      const load = startLoad(() => instances, CHANNELS);
      await until(() => load.sent > 500);
      await server.kill();
      await server.start();
      await until(() => recorded.every((one) => one.resets.length > 0));
      const sentAtReset = load.sent;
      await until(() => load.sent > sentAtReset + 500);
      await until(() =>
        recorded.every((one, n) => n % 4 === 3 || one.data.length > one.resets.at(-1)!.after + 20),
      );
      await load.stop();
      for (const [n, one] of recorded.entries()) {
        expect(one.resets[0]!.reason).toBe('failover');
        const channel = CHANNELS[n % 4];
        if (channel) {
          // What was sent after the last announcement is complete.
          const accepted = load.accepted(channel);
          const { after } = one.resets.at(-1)!;
          const expected = accepted.slice(accepted.indexOf(one.data[after]!));
          expect(expected.length).toBeGreaterThan(20);
          await until(() => count(expected, one.data.slice(after)).lost === 0);
          expect(count(expected, one.data).twice).toBe(0);
        }
      }
      expect(recorded.every((one) => one.resets.length <= 3)).toBe(true);
    } finally {
      await stopInstances();
      await server.stop();
    }
  });
});
