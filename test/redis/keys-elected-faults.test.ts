import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { electing, polled, stopElecting, untilElected, type Electing } from './elected-rig.js';
import { count, expectSinceReset, NONE, type Recorded } from './instances.js';

let server: RedisServer;
let redis: Redis;
let proxy: TcpProxy;
let tests = 0;
let [prefix, key] = ['', ''];

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  redis.on('error', () => undefined);
  proxy = await startProxy(server.url);
});

beforeEach(() => {
  prefix = `test-${++tests}:`;
  key = `key-${tests}`;
});

afterEach(async () => {
  proxy.thaw();
  await stopElecting();
});

afterAll(async () => {
  redis.disconnect();
  await proxy.close();
  await server.stop();
});

const start = (url = server.url): Promise<Electing> =>
  electing(url, { prefix, auditInterval: 60_000 });

/** Writes values to the key, one after the other and each with the next number. */
async function write(values: string[], many: number): Promise<void> {
  for (let n = 0; n < many; n++) {
    values.push(`${values.length}`);
    await redis.rpush(key, values.at(-1)!);
  }
}

/** Three instances that read the key; the first one polls it. */
async function threeReaders(
  url?: string,
): Promise<{ instances: readonly Electing[]; recorded: Recorded[] }> {
  const first = await start(url);
  const recorded = [first.read(key)];
  await untilElected([first], recorded, 1);
  const instances = [first, await start(), await start()];
  recorded.push(...instances.slice(1).map((one) => one.read(key)));
  await untilElected(instances, recorded, 1);
  await until(() => polled(instances).join() === '1,0,0');
  return { instances, recorded };
}

async function expectAll(recorded: readonly Recorded[], values: readonly string[]): Promise<void> {
  await until(() => recorded.every((one) => one.data.at(-1) === values.at(-1)));
  recorded.forEach((one) => {
    expect(count(values, one.data)).toEqual(NONE);
    expect(one.resets).toEqual([]);
  });
}

/** Writes a value, and waits until it has come. */
async function writeAndReceive(recorded: Recorded, values: string[]): Promise<void> {
  await write(values, 1);
  await until(() => recorded.data.at(-1) === values.at(-1));
}

describe('Another instance becomes the poller', () => {
  it('at once when the poller stops', async () => {
    const { instances, recorded } = await threeReaders();
    const values: string[] = [];
    await write(values, 10);
    await expectAll(recorded, values);
    const lease = `${prefix}{pollers}:lease`;
    const holder = await redis.get(lease);
    expect(holder).not.toBeNull();
    await instances[0]!.stop();
    // It has given its lease up, so that nobody waits until that runs out.
    expect(await redis.get(lease)).not.toBe(holder);
    await writeAndReceive(recorded[1]!, values);
    await expectAll(recorded.slice(1), values);
    expect(polled(instances.slice(1)).reduce((sum, one) => sum + one)).toBe(1);
  });

  it("when the poller's connections freeze, and the old poller does no harm when they thaw", async () => {
    const { instances, recorded } = await threeReaders(proxy.url(server.url));
    const values: string[] = [];
    await write(values, 10);
    await expectAll(recorded, values);
    proxy.freeze();
    await writeAndReceive(recorded[1]!, values);
    proxy.thaw();
    await write(values, 10);
    await expectAll(recorded, values);
    await until(() => polled(instances).reduce((sum, one) => sum + one) === 1);
    expect(polled(instances)[0]).toBe(0);
  });

  it('without losing what sendKey() sends before anybody notices that the poller is gone', async () => {
    const { instances, recorded } = await threeReaders(proxy.url(server.url));
    proxy.freeze();
    const values = ['a', 'b', 'c'];
    for (const value of values) {
      await instances[1]!.source.sendKey(key, value);
    }
    await until(() => recorded.slice(1).every(({ events }) => events.length === 3));
    proxy.thaw();
    await expectAll(recorded, values);
    await until(() => polled(instances).reduce((sum, one) => sum + one) === 1);
  });

  it('while connections break again and again, and no value is lost or repeated', async () => {
    const { instances, recorded } = await threeReaders(proxy.url(server.url));
    const values: string[] = [];
    for (let cuts = 0; cuts < sized({ quick: 8, soak: 100 });) {
      await write(values, 20);
      await instances[values.length % 3]!.source.sendKey(
        key,
        String(values.push(`${values.length}`) - 1),
      );
      if (values.length % 10 === 0) {
        proxy.cut();
        cuts++;
      }
      await sleep(20);
    }
    await until(() => recorded.every((one) => count(values, one.data).lost === 0));
    recorded.forEach((one) => {
      expect(count(values, one.data)).toMatchObject({ lost: 0, twice: 0 });
      expect(one.resets).toEqual([]);
      expect(one.data).toEqual(recorded[0]!.data);
    });
    await until(() => polled(instances).reduce((sum, one) => sum + one) === 1);
  });

  it('when Redis has lost all data, including the lease of the poller', async () => {
    const { instances, recorded } = await threeReaders();
    const values: string[] = [];
    await write(values, 10);
    await expectAll(recorded, values);
    await server.kill();
    await server.start();
    await until(async () => (await redis.ping()) === 'PONG');
    await write(values, 10);
    await until(async () => (await redis.exists(key)) === 0);
    // What was taken before an instance had heard of the loss, its clients are told of by a reset.
    await until(() => recorded.every(({ resets }) => resets.length > 0));
    const { length } = values;
    await until(async () => {
      await write(values, 10);
      return recorded.every((one) => Number(one.data.at(-1)) >= length);
    });
    await until(() => recorded.every((one) => one.data.at(-1) === values.at(-1)));
    for (const one of recorded) {
      expect(count(values.slice(0, 10), one.data.slice(0, one.resets[0]!.after))).toEqual(NONE);
      expectSinceReset(one, values);
    }
    await until(() => polled(instances).reduce((sum, one) => sum + one) === 1);
  });

  it('of 1,200 keys with a few calls', async () => {
    const keys = Array.from({ length: 1_200 }, (_, n) => `${key}-${n}`);
    const first = await start();
    const recorded = [keys.map((one) => first.read(one, { interval: 500 }))];
    await untilElected([first], recorded.flat(), keys.length);
    const instances = [first, await start(), await start()];
    recorded.push(
      ...instances.slice(1).map((one) => keys.map((of) => one.read(of, { interval: 500 }))),
    );
    await untilElected(instances, recorded.flat(), keys.length);
    const stopping = first.stop();
    await Promise.all(keys.map((one) => redis.set(one, one)));
    await until(() =>
      recorded
        .slice(1)
        .flat()
        .every(({ events }) => events.length === 1),
    );
    await stopping;
    recorded.slice(1).forEach((all) => expect(all.map(({ data }) => data[0])).toEqual(keys));
    await until(() => polled(instances.slice(1)).reduce((sum, one) => sum + one) === keys.length);
  });
});

/** An instance that polls for all, and reads a key that no other instance reads. */
async function pollerOfAnotherKey() {
  const poller = await start();
  const own = poller.read(`${key}-own`);
  await untilElected([poller], [own], 1);
  const untilPolledAgain = async () => {
    const { length } = own.events;
    for (let n = 1; n <= 3; n++) {
      await redis.rpush(`${key}-own`, 'value');
      await until(() => own.events.length === length + n);
    }
  };
  return { poller, untilPolledAgain };
}

describe('The poller', () => {
  it('polls at the shortest interval that any instance wants', async () => {
    const instances = [await start(), await start(), await start()];
    const recorded = instances.map((one, n) => one.read(key, { interval: n < 2 ? 60_000 : 20 }));
    await untilElected(instances, recorded, 1);
    const values: string[] = [];
    // Each instance that reads the key from its own interval would take a minute.
    await writeAndReceive(recorded[0]!, values);
    await expectAll(recorded, values);
  });

  it('polls keys that only other instances read, until nobody reads them', async () => {
    const { poller, untilPolledAgain } = await pollerOfAnotherKey();
    const instances = [poller, await start(), await start()];
    const recorded = instances.slice(1).map((one) => one.read(key));
    await until(() => recorded.every(({ isLive }) => isLive));
    await until(() => polled(instances).join() === '2,0,0');
    const values: string[] = [];
    await write(values, 10);
    await expectAll(recorded, values);
    recorded[0]!.feed.pause?.();
    await write(values, 10);
    await expectAll(recorded, values);
    recorded[1]!.feed.pause?.();
    await until(() => polled(instances).join() === '1,0,0');
    await redis.set(key, 'waits');
    await untilPolledAgain();
    expect(await redis.get(key)).toBe('waits');
    recorded[0]!.feed.resume?.();
    await until(() => recorded.every(({ data }) => data.at(-1) === 'waits'));
  });

  it('leaves values in the key when the only reading instance is gone', async () => {
    const { poller, untilPolledAgain } = await pollerOfAnotherKey();
    const other = await start(proxy.url(server.url));
    other.read(key);
    await until(() => polled([poller, other]).join() === '2,0');
    proxy.freeze();
    await until(() => polled([poller])[0] === 1);
    await redis.set(key, 'waits');
    await untilPolledAgain();
    expect(await redis.get(key)).toBe('waits');
  });

  it('finds the wants of other instances although their messages are lost', async () => {
    const { instances } = await threeReaders();
    const [one] = await redis.keys(`${prefix}{pollers}:wants:*`);
    const version = Number(await redis.hget(one!, ''));
    await redis.hset(one!, '', version + 1, `${key}-other`, '20/20');
    await until(() => polled(instances).join() === '2,0,0');
    await redis.rpush(`${key}-other`, 'value');
    await until(async () => (await redis.exists(`${key}-other`)) === 0);
  });
});

describe('Every instance polls for itself', () => {
  it("a key that some instance reads with poller: 'each'", async () => {
    const { instances, recorded } = await threeReaders();
    recorded.push(instances[1]!.read(key, { poller: 'each' }));
    await until(() => polled(instances).join() === '1,1,0');
    const values: string[] = [];
    await write(values, 100);
    await expectAll(recorded, values);
    recorded[3]!.feed.pause?.();
    await until(() => polled(instances).join() === '1,0,0');
  });

  it('when its user lacks the rights for sharing, and one log line says so', async () => {
    await redis.call('ACL', 'SETUSER', 'less', 'on', '>secret', '~*', '&*', '+@all', '-hset');
    const url = server.url.replace('redis://', 'redis://less:secret@');
    const instances = [await start(url), await start(url)];
    const recorded = instances.map((one) => one.read(key));
    await until(() => polled(instances).join() === '1,1');
    const values: string[] = [];
    await write(values, 100);
    await expectAll(recorded, values);
    for (const { log } of instances) {
      expect(log.errors).toHaveLength(1);
      expect(log.errors[0]).toMatch(/cannot agree .*docs\/redis\.md/);
    }
    await redis.call('ACL', 'SETUSER', 'less', '+hset');
    await until(() => polled(instances).reduce((sum, one) => sum + one) === 1);
    await write(values, 100);
    await expectAll(recorded, values);
    instances.forEach(({ log }) => expect(log.errors).toHaveLength(1));
  });
});

describe('Redis keeps', () => {
  it('nothing of shared polls once all instances have stopped', async () => {
    const { instances, recorded } = await threeReaders();
    await expectAll(recorded, []);
    await Promise.all(instances.map((one) => one.stop()));
    expect(await redis.keys(`${prefix}{pollers}*`)).toEqual([]);
  });

  it('nothing of an instance that is gone and whose keys nobody else reads', async () => {
    const one = await start(proxy.url(server.url));
    await untilElected([one], [one.read(`${key}-own`)], 1);
    const other = await start();
    other.read(key);
    await until(() => polled([one, other]).join() === '2,0');
    const instances = `${prefix}{pollers}:instances`;
    expect(await redis.hlen(instances)).toBe(2);
    proxy.freeze();
    await until(async () => (await redis.hlen(instances)) === 1);
    const left = await redis.keys(`${prefix}{pollers}:*`);
    expect(left.map((name) => name.split(':')[2]).toSorted()).toEqual([
      'instances',
      'lease',
      'wants',
    ]);
    for (const name of left) {
      expect(await redis.pttl(name)).toBeGreaterThan(0);
    }
  });
});
