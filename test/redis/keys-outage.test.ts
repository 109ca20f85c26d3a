import { afterEach, describe, expect, it } from '@jest/globals';
import type { CacheOptions } from '../../lib/sources/cache/cache-options.js';
import { instance, type Instance } from '../cache/redis-rig.js';
import { startProxy } from '../support/proxy.js';
import { startRedis } from '../support/redis.js';
import { until } from '../support/until.js';
import { count, NONE, Recorded, withRedis } from './instances.js';
import { startCluster } from './topologies.js';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) {
    await end();
  }
});

async function start(...args: Parameters<typeof instance>): Promise<Instance> {
  const one = await instance(...args);
  ends.push(() => one.stop());
  return one;
}

async function redis() {
  const server = await startRedis();
  ends.push(() => server.stop());
  return server;
}

async function proxyOf(url: string) {
  const proxy = await startProxy(url);
  ends.push(() => proxy.close());
  return proxy;
}

function read({ source }: Instance, key: string, options: CacheOptions = {}): Recorded {
  const recorded = new Recorded(source.with({ interval: 10, ...options }), key);
  recorded.feed.resume?.();
  return recorded;
}

describe('sendKey() waits as send() does', () => {
  it.each([
    [
      'NOREPLICAS',
      ['config', 'set', 'min-replicas-to-write', '1'],
      ['config', 'set', 'min-replicas-to-write', '0'],
    ],
    ['READONLY', ['replicaof', '127.0.0.1', '1'], ['replicaof', 'no', 'one']],
  ])('while the server answers %s', async (_, begin, end) => {
    const server = await redis();
    const one = await start(server.url);
    const [taking, watching] = [read(one, 'taken'), read(one, 'watched', { mode: 'watch' })];
    await until(() => taking.isLive);
    await withRedis(server.url, async (admin) => {
      await admin.call(...(begin as [string, ...string[]]));
      const sent = Promise.all(
        ['taken', 'watched', 'unread'].map((key) => one.source.sendKey(key, 'sent')),
      );
      let isOver = false;
      void sent.then(() => (isOver = true));
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(isOver).toBe(false);
      await admin.call(...(end as [string, ...string[]]));
      await sent;
      await until(() => taking.data.length === 1 && watching.data.length === 1);
      expect(await admin.llen('sse:{unread}:waiting:unread')).toBe(1);
    });
    expect([taking.data, watching.data]).toEqual([['sent'], ['sent']]);
  });

  it('while connections break, and every value arrives once and in order', async () => {
    const server = await redis();
    const proxy = await proxyOf(server.url);
    const [sender, reader] = [await start(proxy.url(server.url)), await start(server.url)];
    const there = read(reader, 'key');
    await until(() => there.isLive);
    const values = Array.from({ length: 100 }, (_, n) => `${n}`);
    for (const [n, value] of values.entries()) {
      const sent = sender.source.sendKey('key', value, { type: 'cut' });
      if (n % 40 === 10) {
        proxy.cut();
      }
      await sent;
    }
    await until(() => there.events.length >= values.length);
    expect(count(values, there.data)).toEqual(NONE);
    expect(there.resets).toEqual([]);
  });

  it('while the slot of its key moves to another node of a Cluster', async () => {
    const cluster = await startCluster();
    ends.push(() => cluster.stop());
    const client = cluster.client();
    ends.push(() => client.disconnect());
    const one = await start(client);
    const there = read(one, 'moving');
    await until(() => there.isLive);
    const owner = await cluster.ownerOf('moving');
    const target = cluster.masters.find((master) => master !== owner)!;
    let isMoved = false;
    const moved = cluster.migrate('moving', target).then(() => (isMoved = true));
    const values: string[] = [];
    while (!isMoved || values.length < 100) {
      values.push(`${values.length}`);
      await one.source.sendKey('moving', values.at(-1));
    }
    await moved;
    await until(() => there.data.at(-1) === values.at(-1));
    expect(count(values, there.data)).toEqual(NONE);
  });

  it('for sendTimeout, then rejects, and the outage is one log line', async () => {
    const server = await redis();
    const proxy = await proxyOf(server.url);
    const one = await start(proxy.url(server.url), { sendTimeout: 200 });
    await one.source.sendKey('key', 'before');
    proxy.refuse();
    proxy.cut();
    const sends = ['a', 'b'].map((key) => one.source.sendKey(key, 'value'));
    for (const sent of await Promise.allSettled(sends)) {
      expect(sent).toMatchObject({
        status: 'rejected',
        reason: { code: 'UNAVAILABLE', message: expect.stringContaining('sendTimeout') },
      });
    }
    // That the connection was lost; SseService logs the rejection, once.
    expect(one.log.errors).toHaveLength(1);
    proxy.accept();
    await until(() =>
      one.source.sendKey('key', 'after').then(
        () => true,
        () => false,
      ),
    );
  });
});

describe('When the server loses what sendKey() has sent, readers get a reset', () => {
  /** A master and its replica; the sender and the reader are led to one of them each. */
  async function partition() {
    const [master, replica] = [await redis(), await redis()];
    const proxies = [await proxyOf(master.url), await proxyOf(master.url)] as const;
    const options = { auditInterval: 300 };
    const [sender, reader] = await Promise.all(
      proxies.map((proxy) => start(proxy.url(master.url), options)),
    );
    const there = read(reader!, 'key');
    await until(() => there.isLive);
    await sender!.source.sendKey('key', 'first');
    await until(() => there.events.length === 1);
    await withRedis(replica.url, async (admin) => {
      await admin.replicaof('127.0.0.1', master.port);
      await until(async () => (await admin.info('replication')).includes('link_status:up'));
      await until(async () => (await admin.xlen('sse:{key}:key:key')) > 1);
      await admin.replicaof('NO', 'ONE');
    });
    const [leadSender, leadReader] = proxies.map((proxy) => () => {
      proxy.redirect(replica.url);
      proxy.cut();
    });
    leadReader!();
    return { sender: sender!, reader: reader!, there, leadSender: leadSender! };
  }

  it('by the next comparison of streams', async () => {
    const { sender, there, leadSender } = await partition();
    await sender.source.sendKey('key', 'lost');
    leadSender();
    await until(() => there.resets.length > 0);
    expect(there.resets).toEqual([{ reason: 'failover', after: 1 }]);
    await sender.source.sendKey('key', 'next');
    await until(() => there.data.length === 2);
    expect(there.data).toEqual(['first', 'next']);
    await sender.stop();
    expect(sender.log.lines.filter((line) => line.includes('lost values'))).toEqual([
      expect.stringContaining('has lost values of the key "key" that'),
    ]);
  });

  it('once, before the next value when that comes first', async () => {
    const { sender, there, leadSender } = await partition();
    await sender.source.sendKey('key', 'lost');
    leadSender();
    await sender.source.sendKey('key', 'next');
    await until(() => there.data.includes('next'));
    const lost = () => sender.log.lines.filter((line) => line.includes('lost values'));
    await until(() => lost().length > 0);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(there.resets).toEqual([{ reason: 'failover', after: 1 }]);
    expect(there.data).toEqual(['first', 'next']);
    await sender.stop();
    expect(lost()).toEqual([expect.stringContaining('has lost values of the key "key" that')]);
  });
});
