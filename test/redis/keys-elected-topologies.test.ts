import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedis } from '../support/redis.js';
import { until } from '../support/until.js';
import { electing, polled, stopElecting, untilElected, type Electing } from './elected-rig.js';
import { count, expectSinceReset, NONE, withRedis, type Recorded } from './instances.js';
import { startCluster, startSentinelGroup } from './topologies.js';

const stops: (() => unknown)[] = [];

afterEach(async () => {
  await stopElecting();
  for (const stop of stops.splice(0).toReversed()) {
    await stop();
  }
});

const sum = (counts: readonly number[]) => counts.reduce((all, one) => all + one, 0);

/** Sends values from all instances to all keys; resolves with them once every send is accepted. */
async function send(
  instances: readonly Electing[],
  keys: readonly string[],
  many: number,
): Promise<readonly string[]> {
  const values = Array.from({ length: many }, (_, n) => `${n}`);
  for (const [n, value] of values.entries()) {
    await Promise.all(
      keys.map((key) => instances[n % instances.length]!.source.sendKey(key, value)),
    );
  }
  return values;
}

function expectAll(recorded: readonly Recorded[], values: readonly string[]): void {
  for (const one of recorded) {
    expect(count(values, one.data)).toEqual(NONE);
    expect(one.resets).toEqual([]);
  }
}

describe('Instances that share their polls', () => {
  it('work in a Cluster, also after it has lost a master', async () => {
    const cluster = await startCluster();
    stops.push(() => cluster.stop());
    const clients = [0, 1, 2].map(() => cluster.client());
    stops.push(() => clients.forEach((client) => client.disconnect()));
    const instances = await Promise.all(clients.map((client) => electing(client)));
    const keys = Array.from({ length: 60 }, (_, n) => `key ${n}`);
    const recorded = instances.map((one) => keys.map((key) => one.read(key)));
    await untilElected(instances, recorded.flat(), keys.length);
    const values = await send(instances, keys, 10);
    await until(() => recorded.flat().every(({ events }) => events.length === values.length));
    expectAll(recorded.flat(), values);
    await until(() => sum(polled(instances)) === keys.length);

    await instances[0]!.stop();
    await until(() => sum(polled(instances.slice(1))) === keys.length);

    const owner = await cluster.ownerOf('sse:{pollers}:elected');
    const first = cluster.masters[0]!;
    if (owner.port !== first.port) {
      // The one master that has a replica is to be the one that knows who was elected.
      await cluster.migrate('sse:{pollers}:elected', first);
    }
    await first.kill();
    const safe = keys.slice(0, 5);
    await until(
      async () => {
        const sent = await Promise.allSettled(
          safe.map((key) => instances[1]!.source.sendKey(key, 'after')),
        );
        return sent.every(({ status }) => status === 'fulfilled');
      },
      { every: 100 },
    );
    await until(() =>
      recorded.slice(1).every((all) => all.slice(0, 5).every((one) => one.data.at(-1) === 'after')),
    );
    await until(() => sum(polled(instances.slice(1))) === keys.length);
  });

  it('poll for themselves while the Cluster has lost the node with the lease', async () => {
    const cluster = await startCluster();
    stops.push(() => cluster.stop());
    const lost = cluster.masters[2]!;
    if ((await cluster.ownerOf('sse:{pollers}:elected')).port !== lost.port) {
      await cluster.migrate('sse:{pollers}:elected', lost);
    }
    for (const { url } of [...cluster.masters, cluster.replica]) {
      await withRedis(url, (node) => node.config('SET', 'cluster-require-full-coverage', 'no'));
    }
    const clients = [0, 1].map(() => cluster.client());
    stops.push(() => clients.forEach((client) => client.disconnect()));
    const instances = await Promise.all(clients.map((client) => electing(client)));
    const owners = await Promise.all(
      Array.from({ length: 20 }, (_, n) => cluster.ownerOf(`key ${n}`)),
    );
    const key = `key ${owners.findIndex(({ port }) => port === cluster.masters[1]!.port)}`;
    const recorded = instances.map((one) => one.read(key));
    await untilElected(instances, recorded, 1);
    await lost.kill();
    await until(() => polled(instances).join() === '1,1');
    const values = ['a', 'b', 'c'];
    for (const value of values) {
      await instances[0]!.source.sendKey(key, value);
    }
    await until(() => recorded.every(({ events }) => events.length === values.length));
    expectAll(recorded, values);
    await lost.start();
    await until(() => sum(polled(instances)) === 1);
  });

  it('go on after a Sentinel failover', async () => {
    const group = await startSentinelGroup();
    stops.push(() => group.stop());
    const instances = await Promise.all([0, 1, 2].map(() => electing(group.options)));
    const recorded = instances.map((one) => one.read('key'));
    await untilElected(instances, recorded, 1);
    const values: string[] = [];
    const writeOne = async (n: number) => {
      const value = `${values.length}`;
      await instances[n % 3]!.source.sendKey('key', value);
      values.push(value);
    };
    for (let n = 0; n < 20; n++) {
      await writeOne(n);
    }
    await group.failover();
    const refused = () => false;
    for (let n = 0; n < 20; n++) {
      await until(() => writeOne(n).then(() => true, refused), { every: 50 });
    }
    await until(() => recorded.every((one) => one.data.at(-1) === values.at(-1)));
    recorded.forEach((one) => expectSinceReset(one, values));
    await until(() => sum(polled(instances)) === 1);
  });

  it('share them among clients of one prefix only', async () => {
    const server = await startRedis();
    stops.push(() => server.stop());
    const clients = ['one:', 'one:', 'other:'].map(
      (keyPrefix) => new Redis(server.url, { keyPrefix }),
    );
    stops.push(() => clients.forEach((client) => client.disconnect()));
    const instances = await Promise.all(clients.map((client) => electing(client)));
    const recorded = instances.map((one) => one.read('key'));
    await untilElected(instances, recorded, 2);
    expect(polled(instances)[2]).toBe(1);
    await withRedis(server.url, async (redis) => {
      expect(await redis.hlen('one:sse:{pollers}:instances')).toBe(2);
      expect(await redis.hlen('other:sse:{pollers}:instances')).toBe(1);
      await redis.set('one:key', 'for two');
      await redis.set('other:key', 'for one');
    });
    await until(() => recorded.every(({ events }) => events.length === 1));
    expect(recorded.map(({ data }) => data)).toEqual([['for two'], ['for two'], ['for one']]);
    const elected = polled(instances)[0] === 1 ? 0 : 1;
    await instances[elected]!.stop();
    await until(() => polled(instances)[1 - elected] === 1);
  });
});
