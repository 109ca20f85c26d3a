import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RedisOption } from '../../lib/sources/redis/redis-option.js';
import type { RedisStreamsOptions } from '../../lib/sources/redis/redis-streams.options.js';
import { startProxy } from '../support/proxy.js';
import { startRedis } from '../support/redis.js';
import { until } from '../support/until.js';
import { Recorder } from './recorder.js';
import { instance, type Instance } from './redis-rig.js';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) {
    await end();
  }
});

async function redis() {
  const server = await startRedis();
  ends.push(() => server.stop());
  return server;
}

async function start(url: RedisOption, options: RedisStreamsOptions = {}): Promise<Instance> {
  const started = await instance(url, options);
  ends.push(() => started.stop());
  return started;
}

function clientOf(url: string): Redis {
  const client = new Redis(url);
  client.on('error', () => undefined);
  ends.push(() => client.disconnect());
  return client;
}

describe('An outage of Redis', () => {
  it('causes one log line for all keys, and their streams go on', async () => {
    const server = await redis();
    const { source, log } = await start(server.url);
    const keys = Array.from({ length: 30 }, (_, n) => `key${n}`);
    const channels = keys.map((key) => Recorder.open(source.with({ interval: 10 }), key));
    await until(() => channels.every(({ isLive }) => isLive));
    for (const round of [1, 2]) {
      await source.sendKey('unread', 'x');
      await server.kill();
      await until(() => log.errors.length === round);
      // What is sent while the store is down waits for it. The server has lost its streams, so the
      // readers receive it, or a reset where it came before they had noticed.
      const sent = source.sendKey('key0', `down ${round}`);
      await server.start();
      await sent;
      await until(
        () => channels[0]!.data.includes(`down ${round}`) || channels[0]!.resets.length >= round,
      );
      await until(() => channels.every(({ resets }) => resets.length >= round));
      const writer = clientOf(server.url);
      await Promise.all(keys.map((key) => writer.set(key, `up ${round}`)));
      await until(() => channels.every((channel) => channel.data.includes(`up ${round}`)));
    }
    expect(log.errors).toHaveLength(2);
    expect(log.lines.filter((line) => line.includes('reachable again'))).toHaveLength(2);
    for (const { data } of channels) {
      expect(data.filter((text) => text.startsWith('up'))).toEqual(['up 1', 'up 2']);
    }
  });

  it('of a client of the application is one log line as well', async () => {
    const server = await redis();
    const { source, connection, log } = await start(clientOf(server.url));
    const channel = Recorder.open(source.with({ interval: 10 }), 'key');
    await source.sendKey('key', 'before');
    await until(() => channel.events.length === 1);
    await server.kill();
    await until(() => log.errors.length === 1);
    // The client and its subscriptions: one that is noticed late would begin another outage.
    await until(() => connection.outage['lost'].size === 2);
    await server.start();
    await until(() => log.lines.some((line) => line.includes('reachable again')));
    // The server has lost what it held. What is written before that was noticed is announced by it.
    await until(() => channel.resets.length === 1);
    expect(channel.resets).toEqual(['failover']);
    await clientOf(server.url).set('key', 'after');
    await until(() => channel.events.length === 2);
    expect(channel.data).toEqual(['before', 'after']);
    expect(log.errors).toHaveLength(1);
  });

  it('at the start stops nothing: values arrive once the server is there', async () => {
    const server = await redis();
    await server.stopServer();
    const { source, log } = await start(server.url);
    const channel = Recorder.open(source.with({ interval: 10 }), 'key');
    await until(() => log.errors.length === 1);
    await server.start();
    await clientOf(server.url).set('key', 'value');
    await until(() => channel.events.length === 1);
    expect(log.errors).toHaveLength(1);
  });

  it('loses nothing silently when connections break again and again', async () => {
    const server = await redis();
    const proxy = await startProxy(server.url);
    ends.push(() => proxy.close());
    const { source } = await start(proxy.url(server.url));
    const { source: other } = await start(server.url);
    const channel = Recorder.open(source.with({ interval: 1 }), 'key');
    let cuts = 0;
    for (let n = 0; n < 300; n++) {
      await until(() =>
        other.sendKey('key', n).then(
          () => true,
          () => false,
        ),
      );
      if (n % 30 === 29) {
        proxy.cut();
        cuts++;
        await until(() => proxy.connections > 0);
      }
    }
    await until(() => other.sendKey('key', 'last').then(() => true));
    await until(() => channel.data.includes('last'));
    const received = new Set(channel.data);
    const lost = 301 - received.size;
    const doubled = channel.data.length - received.size;
    expect(doubled).toBe(0);
    if (lost > 0) {
      expect(channel.resets.length).toBeGreaterThan(0);
    }
    expect(channel.resets.length).toBeLessThanOrEqual(cuts);
  });

  it('by a frozen connection ends once a new connection takes over', async () => {
    const server = await redis();
    const proxy = await startProxy(server.url);
    ends.push(() => proxy.close());
    const { host, port } = proxy;
    const { source, log } = await start({ host, port, socketTimeout: 300 });
    const channel = Recorder.open(source.with({ interval: 10 }), 'key');
    await until(() => source.sendKey('key', 'before').then(() => true));
    proxy.freeze();
    await until(() => log.errors.length === 1);
    proxy.thaw();
    await clientOf(server.url).set('key', 'after');
    await until(() => channel.data.includes('after'));
    expect(log.errors).toHaveLength(1);
  });
});
