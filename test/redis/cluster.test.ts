import { describe, expect, it } from '@jest/globals';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import { RedisKeyStore } from '../../lib/sources/cache/redis/redis-store.js';
import { hashSlot } from '../../lib/sources/redis/hash-slot.js';
import type { RedisStreamsOptions } from '../../lib/sources/redis/redis-streams.options.js';
import { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import { RedisTicketStore } from '../../lib/tickets/redis-ticket-store.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { clusterRig } from './cluster-rig.js';
import { instance, Recorded, stopInstances, withRedis, type Instance } from './instances.js';
import { expectContinuity, startLoad } from './load.js';
import type { ClusterUser } from './topologies.js';

const NO_LOG = { log() {}, warn() {}, error() {} };

/** Channels in slots of each of the three masters. */
const CHANNELS = ['a', 'b', 'c', 'd', 'e', 'f'];

describe('In a Cluster', () => {
  const cluster = clusterRig(stopInstances);

  async function start(user?: ClusterUser, options?: RedisStreamsOptions): Promise<Instance> {
    return instance(cluster.client(user), { retain: { events: 50_000 }, ...options });
  }

  /** How many of our channels each master hands messages to, by classic or by sharded pub/sub. */
  function subscribedAt(which: 'CHANNELS' | 'SHARDCHANNELS'): Promise<number[]> {
    return Promise.all(
      cluster.servers.masters.map(({ url }) =>
        withRedis(url, async (node) => ((await node.call('PUBSUB', which)) as string[]).length),
      ),
    );
  }

  it('a ticket opens one stream, on whichever instance and node', async () => {
    const tickets = Array.from({ length: 30 }, (_, n) => `digest ${n}`);
    const stores = [0, 1].map(() => {
      const client = cluster.client();
      return new RedisTicketStore(new RedisConnection(client, NO_LOG), 'sse:', NO_LOG);
    });
    const [one, two] = stores as [RedisTicketStore, RedisTicketStore];
    await until(() =>
      one.put('first', '', 1).then(
        () => true,
        () => false,
      ),
    );
    await until(() =>
      two.put('first', '', 1).then(
        () => true,
        () => false,
      ),
    );
    await Promise.all(tickets.map((digest) => one.put(digest, digest, 30_000)));
    const taken = await Promise.all(
      tickets.flatMap((digest) => [one, two, one, two].map((store) => store.take(digest))),
    );
    expect(taken.filter((content) => content !== undefined)).toEqual(tickets);
  });

  it('events reach every instance, by a message of their shard where the server has those', async () => {
    const [one, two] = [await start(), await start()];
    const channels = Array.from({ length: 60 }, (_, n) => `channel ${n}`);
    const recorded = [one, two].flatMap((each) => channels.map((channel) => each.open(channel)));
    await until(() => recorded.every((channel) => channel.isLive));
    const owners = new Set(
      await Promise.all(
        channels.map(async (name) => (await cluster.servers.ownerOf(`sse:{${name}}`)).port),
      ),
    );
    expect(owners.size).toBe(3);
    const ids = await Promise.all(
      channels.map((channel) => one.broker.publish(channel, { data: channel })),
    );
    await until(() => recorded.every((channel) => channel.events.length === 1));
    expect(recorded.map((channel) => channel.data[0])).toEqual([...channels, ...channels]);
    expect(recorded.map((channel) => channel.position)).toEqual([...ids, ...ids]);
    const subscribed = () => subscribedAt(cluster.servers.sharded ? 'SHARDCHANNELS' : 'CHANNELS');
    await until(async () => (await subscribed()).reduce((sum, each) => sum + each) === 60);
    expect((await subscribed()).filter((each) => each > 0)).toHaveLength(
      cluster.servers.sharded ? 3 : 1,
    );
    expect([...one.log.errors, ...two.log.errors]).toEqual([]);
  });

  it("the first event of an instance arrives at once, before the instance knows the server's version", async () => {
    const rarely = { auditInterval: 60_000 };
    const there = (await start({}, rarely)).open('first');
    await until(() => there.isLive);
    const which = cluster.servers.sharded ? 'SHARDCHANNELS' : 'CHANNELS';
    await until(async () => (await subscribedAt(which)).includes(1));
    const sent = await (await start({}, rarely)).broker.publish('first', { data: 'first' });
    await until(() => there.events.length === 1);
    expect(there.position).toBe(sent);
  });

  it('classic messages go to every node when our user may not call INFO', async () => {
    for (const { url } of [...cluster.servers.masters, cluster.servers.replica]) {
      const rights = ['resetchannels', '&*', '~*', '+@all', '-info'];
      await withRedis(url, (node) => node.call('ACL', 'SETUSER', 'blind', 'on', '>x', ...rights));
    }
    const blind = { username: 'blind', password: 'x', enableReadyCheck: false };
    const instances = [await start(blind), await start(blind)];
    const recorded = instances.flatMap((one) => CHANNELS.map((channel) => one.open(channel)));
    await until(() => recorded.every((one) => one.isLive));
    await until(async () => (await subscribedAt('CHANNELS')).includes(CHANNELS.length));
    expect((await subscribedAt('CHANNELS')).filter((each) => each > 0)).toHaveLength(1);
    const load = startLoad(() => instances, CHANNELS);
    await until(() => load.sent > 500);
    const key = `sse:{${CHANNELS[0]}}`;
    const from = await cluster.servers.ownerOf(key);
    const to = cluster.servers.masters.find((master) => master !== from)!;
    await cluster.servers.migrate(key, to, 'key by key');
    const { sent } = load;
    await until(() => load.sent > sent + 1_000);
    await load.stop();
    for (const [n, one] of recorded.entries()) {
      await expectContinuity(one, load, CHANNELS[n % CHANNELS.length]!);
      expect(one.resets).toEqual([]);
    }
    expect(load.rejected).toBe(0);
    expect(instances.map(({ log }) => log.lines)).toEqual(
      instances.map(() => [expect.stringContaining('we use classic pub/sub')]),
    );
  });

  it.each(['plain', 'job:{42}:state'])(
    'every instance gets the values of the key %s',
    async (key) => {
      const instances = [await start(), await start()];
      const sources = instances.map(
        ({ streams, log }) => new CacheSource(new RedisKeyStore(streams), log),
      );
      const recorded = sources.map((source) => {
        const one = new Recorded(source.with({ interval: 10 }), key);
        one.feed.resume?.();
        return one;
      });
      await until(() => recorded.every((one) => one.isLive));
      await sources[1]!.sendKey(key, 'sent');
      await until(() => recorded.every((one) => one.events.length === 1));
      await cluster.client().set(key, 'set');
      await until(() => recorded.every((one) => one.events.length === 2));
      expect(recorded.map((one) => one.data)).toEqual([
        ['sent', 'set'],
        ['sent', 'set'],
      ]);
      await Promise.all(sources.map((source) => source.stop()));
    },
  );

  it('nothing is lost when the slot of a live channel moves', async () => {
    const instances = [await start(), await start()];
    const recorded = instances.flatMap((one) => CHANNELS.map((channel) => one.open(channel)));
    await until(() => recorded.every((one) => one.isLive));
    const load = startLoad(() => instances, CHANNELS);
    await until(() => load.sent > 500);
    for (let n = 0; n < sized({ quick: 2, soak: 20 }); n++) {
      const key = `sse:{${CHANNELS[n % CHANNELS.length]}}`;
      const from = await cluster.servers.ownerOf(key);
      await cluster.servers.migrate(
        key,
        cluster.servers.masters.find((master) => master !== from)!,
        n % 2 === 0 ? 'key by key' : 'as a whole',
      );
      const { sent } = load;
      await until(() => load.sent > sent + 300);
    }
    await load.stop();
    for (const [n, one] of recorded.entries()) {
      await expectContinuity(one, load, CHANNELS[n % CHANNELS.length]!);
      expect(one.resets).toEqual([]);
    }
    expect(load.rejected).toBe(0);
  });

  it('events arrive at once when the slot of a live channel returns to its node', async () => {
    const rarely = { auditInterval: 600_000 };
    const [one, two] = [await start({}, rarely), await start({}, rarely)];
    const there = two.open('returning');
    const other = two.open('other');
    await until(() => there.isLive && other.isLive);
    const slot = hashSlot('returning');
    const home = await cluster.servers.ownerOf('returning');
    const sent: string[] = [];
    const comesAtOnce = async () => {
      sent.push(`event ${sent.length}`);
      await one.broker.publish('returning', { data: sent.at(-1)! });
      await until(() => there.data.length === sent.length);
    };
    await comesAtOnce();
    // The node ends the subscriptions of a slot that it gives up, and takes the slot again.
    await withRedis(home.url, async (node) => {
      await node.cluster('DELSLOTS', slot);
      await node.cluster('ADDSLOTS', slot);
    });
    await comesAtOnce();
    const away = cluster.servers.masters.find((master) => master !== home)!;
    for (const to of [away, home, away, home]) {
      await cluster.servers.migrate('returning', to);
    }
    await comesAtOnce();
    await one.broker.publish('other', { data: 'other' });
    await until(() => other.data.length === 1);
    expect(there.data).toEqual(sent);
    expect(there.resets).toEqual([]);
    expect(two.log.errors).toEqual([]);
  });

  it('a replica takes over when its node is lost', async () => {
    const instances = [await start(), await start()];
    const recorded = instances.flatMap((one) => CHANNELS.map((channel) => one.open(channel)));
    await until(() => recorded.every((one) => one.isLive));
    const load = startLoad(() => instances, CHANNELS);
    await until(() => load.sent > 500);
    const lost = cluster.servers.masters[0]!;
    await lost.kill();
    await until(() =>
      withRedis(cluster.servers.replica.url, async (node) =>
        String(await node.info('replication')).includes('role:master'),
      ),
    );
    const { sent } = load;
    await until(() => load.sent > sent + 1_000);
    await load.stop();
    for (const [n, one] of recorded.entries()) {
      await expectContinuity(one, load, CHANNELS[n % CHANNELS.length]!);
    }
    expect(load.rejected).toBe(0);
  });
});
