import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RedisOption } from '../../lib/sources/redis/redis-option.js';
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

async function start(url: RedisOption): Promise<Instance> {
  const started = await instance(url);
  ends.push(() => started.stop());
  return started;
}

function clientOf(url: string): Redis {
  const client = new Redis(url);
  client.on('error', () => undefined);
  ends.push(() => client.disconnect());
  return client;
}

describe('an outage of Redis', () => {
  it('is one line per outage for all keys, and the streams go on', async () => {
    const server = await redis();
    const { source, log } = await start(server.url);
    const keys = Array.from({ length: 30 }, (_, n) => `key${n}`);
    const channels = keys.map((key) => Recorder.open(source.with({ interval: 10 }), key));
    for (const round of [1, 2]) {
      await until(() =>
        source.sendKey('unread', 'x').then(
          () => true,
          () => false,
        ),
      );
      await server.kill();
      await until(() => log.errors.length === round);
      // What is sent while the store is down still reaches the readers here.
      await source.sendKey('key0', `down ${round}`);
      await expect(source.sendKey('unread', 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await server.start();
      await until(() => log.lines.length === round);
      const writer = clientOf(server.url);
      await Promise.all(keys.map((key) => writer.set(key, `up ${round}`)));
      await until(() => channels.every((channel) => channel.data.includes(`up ${round}`)), {
        deadline: 1_000,
      });
    }
    expect(log.errors).toHaveLength(2);
    expect(log.lines).toHaveLength(2);
    expect(channels[0]!.data).toEqual(['down 1', 'up 1', 'down 2', 'up 2']);
    expect(channels[1]!.data).toEqual(['up 1', 'up 2']);
  });

  it('of a client of the user is one line as well', async () => {
    const server = await redis();
    const { source, log } = await start(clientOf(server.url));
    const channel = Recorder.open(source.with({ interval: 10 }), 'key');
    await source.sendKey('key', 'before');
    await server.kill();
    await until(() => log.errors.length === 1);
    await server.start();
    await until(() => log.lines.length === 1);
    await clientOf(server.url).set('key', 'after');
    await until(() => channel.events.length === 2);
    expect(channel.data).toEqual(['before', 'after']);
    expect(log.errors).toHaveLength(1);
  });

  it('at the start keeps nothing from starting: values arrive once the server is there', async () => {
    const server = await redis();
    await server.stopServer();
    const { source, log } = await start(server.url);
    const channel = Recorder.open(source.with({ interval: 10 }), 'key');
    expect(channel.isLive).toBe(true);
    await until(() => log.errors.length === 1);
    await server.start();
    await clientOf(server.url).set('key', 'value');
    await until(() => channel.events.length === 1);
    expect(log.errors).toHaveLength(1);
  });

  it('loses nothing silently when the connection is cut again and again', async () => {
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

  it('that is a frozen connection ends with a new one', async () => {
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
