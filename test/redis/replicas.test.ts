import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { waitingKey } from '../../lib/sources/cache/waiting-event.js';
import { commandCounts, instance as keysInstance } from '../cache/redis-rig.js';
import { startProxy } from '../support/proxy.js';
import { itemsOf } from '../../lib/sources/redis/stream-entry.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { clusterRig } from './cluster-rig.js';
import { count, instance, NONE, stopInstances, withRedis, type Instance } from './instances.js';
import { startLoad } from './load.js';

/** Resolves once the replica is in step with its master, and the master knows: WAIT counts no other. */
async function inStep(replica: RedisServer, master: RedisServer): Promise<void> {
  const replication = (server: RedisServer) =>
    withRedis(server.url, async (node) => String(await node.info('replication')));
  await until(async () => (await replication(replica)).includes('master_link_status:up'));
  await until(async () => (await replication(master)).includes('state=online'));
}

/** What each send came to: its id, or the message it was rejected with. */
async function outcomes(sends: readonly Promise<string>[]) {
  const settled = await Promise.allSettled(sends);
  return {
    ids: settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    errors: settled.flatMap((one) =>
      one.status === 'rejected' ? [(one.reason as Error).message] : [],
    ),
  };
}

/** A client that carries out a script, but loses its reply together with the connection. */
class LosesReplies extends Redis {
  losing = 0;

  override async call(command: string, ...args: unknown[]): Promise<unknown> {
    const reply = await super.call(command, ...(args as [string]));
    if (command === 'evalsha' && this.losing > 0) {
      this.losing--;
      this.stream.destroy();
      throw new Error('Connection is closed.');
    }
    return reply;
  }
}

describe('With minReplicas and one replica', () => {
  let master: RedisServer;
  let replica: RedisServer;

  beforeAll(async () => {
    const args = ['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0'];
    master = await startRedis({ args });
    replica = await startRedis({
      args: [...args, '--replicaof', '127.0.0.1', String(master.port)],
    });
  });

  afterEach(stopInstances);

  afterAll(async () => {
    await Promise.all([master, replica].map((server) => server.stop()));
  });

  it('send() rejects while the replica is lost, although events arrive, and resolves when it is back', async () => {
    await inStep(replica, master);
    const one = await instance(master.url, { minReplicas: 1, replicaTimeout: 500 });
    const channels = Array.from({ length: 20 }, (_, n) => `channel ${n}`);
    const recorded = channels.map((channel) => one.open(channel));
    await until(() => recorded.every((each) => each.isLive));
    const sendToAll = (data: string) =>
      outcomes(channels.map((channel) => one.broker.publish(channel, { data })));

    // On a busy machine the replica may take longer at first.
    const isReplicated = () => one.broker.publish('first', { data: 'x' }).catch(() => undefined);
    await until(isReplicated);
    expect((await sendToAll('before')).ids).toHaveLength(20);
    await replica.kill();
    const waits = () =>
      withRedis(master.url, async (admin) => (await commandCounts(admin)).get('wait') ?? 0);
    const before = await waits();
    const sends: Promise<string>[] = [];
    for (const channel of channels) {
      sends.push(one.broker.publish(channel, { data: 'without' }));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { ids, errors } = await outcomes(sends);
    // One WAIT for each would take 10 s, and hold up all else that the instance asks for.
    expect((await waits()) - before).toBeLessThan(channels.length / 2);
    expect(ids).toEqual([]);
    expect(errors).toEqual(channels.map(() => expect.stringMatching(/^0 of 1 replicas/)));
    await replica.start();
    await inStep(replica, master);
    expect((await sendToAll('after')).ids).toHaveLength(20);
    await until(() => recorded.every((each) => each.events.length >= 3));
    expect(recorded.map((each) => each.data)).toEqual(
      channels.map(() => ['before', 'without', 'after']),
    );
    expect(one.log.errors).toEqual([]);
  });

  it('the error tells a user that it may not call WAIT', async () => {
    await withRedis(master.url, (admin) =>
      admin.call('ACL', 'SETUSER', 'waitless', 'on', '>secret', '+@all', '-wait', '~*', '&*'),
    );
    const url = master.url.replace('redis://', 'redis://waitless:secret@');
    const one = await instance(url, { minReplicas: 1 });
    const { errors } = await outcomes([
      one.broker.publish('waitless', { data: 'a' }),
      one.broker.publish('waitless', { data: 'b' }),
    ]);
    expect(errors).toHaveLength(2);
    const waiting = one.log.errors.filter((line) => line.includes('WAIT for replicas fails'));
    expect(waiting).toEqual([expect.stringMatching(/does not permit.*wait.*docs\/redis\.md/)]);
  });

  it('send() does not take a lost reply for a replicated event', async () => {
    await inStep(replica, master);
    const users = new LosesReplies(master.url, { disconnectTimeout: 100 });
    users.on('error', () => undefined);
    try {
      // What keeps streams from expiring writes to the new connection, too.
      const options = { minReplicas: 1, replicaTimeout: 300, retain: { age: Infinity } };
      const one = await instance(users, options);
      const there = one.open('lost reply');
      await until(() => there.isLive);
      await one.broker.publish('lost reply', { data: 'replicated' });
      process.kill(replica.pid, 'SIGSTOP');
      users.losing = 1;
      await expect(one.broker.publish('lost reply', { data: 'not yet' })).rejects.toThrow(
        '0 of 1 replicas',
      );
      process.kill(replica.pid, 'SIGCONT');
      await expect(one.broker.publish('lost reply', { data: 'again' })).resolves.toBeDefined();
      await until(() => there.events.length >= 3);
      expect(there.data).toEqual(['replicated', 'not yet', 'again']);
    } finally {
      process.kill(replica.pid, 'SIGCONT');
      await stopInstances();
      users.disconnect();
    }
  });

  it('sendKey() does not take a lost reply for a replicated value', async () => {
    await inStep(replica, master);
    const users = new LosesReplies(master.url, { disconnectTimeout: 100 });
    users.on('error', () => undefined);
    const one = await keysInstance(users, {
      minReplicas: 1,
      replicaTimeout: 300,
      retain: { age: Infinity },
      auditInterval: 60_000,
    });
    try {
      await one.source.sendKey('lost reply', 'replicated');
      process.kill(replica.pid, 'SIGSTOP');
      users.losing = 1;
      await expect(one.source.sendKey('lost reply', 'not yet')).rejects.toThrow('0 of 1 replicas');
      process.kill(replica.pid, 'SIGCONT');
      await one.source.sendKey('lost reply', 'again');
      const waiting = await withRedis(master.url, (admin) =>
        admin.lrange(waitingKey('lost reply'), 0, -1),
      );
      expect(waiting).toEqual(['0=replicated', '0=not yet', '0=again']);
    } finally {
      process.kill(replica.pid, 'SIGCONT');
      await one.stop();
      users.disconnect();
    }
  });

  it('send() does not believe a WAIT that its client repeats on the next connection', async () => {
    await inStep(replica, master);
    const proxy = await startProxy(master.url);
    const users = new Redis(proxy.url(master.url), { disconnectTimeout: 100 });
    users.on('error', () => undefined);
    try {
      const options = { minReplicas: 1, replicaTimeout: 4_000, retain: { age: Infinity } };
      const one = await instance(users, options);
      await one.broker.publish('repeated', { data: 'replicated' });
      process.kill(replica.pid, 'SIGSTOP');
      const sent = one.broker.publish('repeated', { data: 'not yet' });
      await until(() =>
        withRedis(master.url, async (admin) =>
          String(await admin.client('LIST')).includes('cmd=wait'),
        ),
      );
      proxy.cut();
      await expect(sent).rejects.toThrow('0 of 1 replicas');
    } finally {
      process.kill(replica.pid, 'SIGCONT');
      await stopInstances();
      users.disconnect();
      await proxy.close();
    }
  });
});

describe('With minReplicas in a Cluster where one master has a replica', () => {
  const cluster = clusterRig(stopInstances);

  async function start(): Promise<Instance> {
    return instance(cluster.client(), {
      minReplicas: 1,
      replicaTimeout: 500,
      retain: { events: 50_000 },
    });
  }

  /** Some channels of which the first master holds the streams, and some that others hold. */
  async function channelsByReplica(): Promise<{ safe: string[]; unsafe: string[] }> {
    const names = Array.from({ length: 30 }, (_, n) => `channel ${n}`);
    const owners = await Promise.all(names.map((name) => cluster.servers.ownerOf(`sse:{${name}}`)));
    const isSafe = (_: string, n: number) => owners[n] === cluster.servers.masters[0];
    return {
      safe: names.filter(isSafe),
      unsafe: names.filter((name, n) => !isSafe(name, n)),
    };
  }

  it('send() is judged by the replicas of its own shard, and every event arrives', async () => {
    const [one, two] = [await start(), await start()];
    const { safe, unsafe } = await channelsByReplica();
    expect(Math.min(safe.length, unsafe.length)).toBeGreaterThan(5);
    const recorded = [...safe, ...unsafe].map((channel) => two.open(channel));
    await until(() => recorded.every((each) => each.isLive));
    const sendTo = (channels: readonly string[], data: string) =>
      outcomes(channels.map((channel) => one.broker.publish(channel, { data })));

    const both = () => Promise.all([sendTo(safe, 'all well'), sendTo(unsafe, 'all well')]);
    const [well, without] = await both();
    expect(well.errors).toEqual([]);
    expect(without.errors).toEqual(unsafe.map(() => expect.stringMatching(/^0 of 1 replicas/)));

    await cluster.servers.replica.kill();
    const lost = await sendTo(safe, 'replica lost');
    expect(lost.errors).toEqual(safe.map(() => expect.stringMatching(/^0 of 1 replicas/)));

    await cluster.servers.replica.start();
    await inStep(cluster.servers.replica, cluster.servers.masters[0]!);
    expect((await sendTo(safe, 'replica back')).errors).toEqual([]);

    await until(() => recorded.every((each, n) => each.events.length >= (n < safe.length ? 3 : 1)));
    expect(recorded.map((each) => each.data)).toEqual([
      ...safe.map(() => ['all well', 'replica lost', 'replica back']),
      ...unsafe.map(() => ['all well']),
    ]);
  });

  it('no accepted event is lost with a master', async () => {
    await inStep(cluster.servers.replica, cluster.servers.masters[0]!);
    const { safe } = await channelsByReplica();
    const channels = safe.slice(0, 3);
    const instances = [await start(), await start()];
    const recorded = instances.flatMap((one) => channels.map((channel) => one.open(channel)));
    await until(() => recorded.every((each) => each.isLive));
    const load = startLoad(() => instances, channels);
    const sizes = sized({ quick: 600, soak: 6_000 });
    await until(() => channels.every((channel) => load.accepted(channel).length > sizes));
    const isMaster = () =>
      withRedis(cluster.servers.replica.url, async (node) =>
        String(await node.info('replication')).includes('role:master'),
      );
    await cluster.servers.masters[0]!.kill();
    await until(isMaster);
    const { sent } = load;
    // The former replica has none itself, so that it judges each event as not safe.
    await until(() => load.sent > sent + 500 && load.rejected > 0);
    await load.stop();
    const kept = await withRedis(cluster.servers.replica.url, (node) =>
      Promise.all(channels.map((channel) => node.xrange(`sse:{${channel}}`, '-', '+'))),
    );
    for (const [n, channel] of channels.entries()) {
      const accepted = load.accepted(channel);
      expect(accepted.length).toBeGreaterThan(100);
      const known = new Set(accepted);
      const entries = kept[n]!.flatMap(itemsOf).flatMap((item) =>
        item.kind === 'event' ? [item.event.data] : [],
      );
      const received = recorded.filter((_, m) => m % channels.length === n);
      for (const data of [entries, ...received.map((each) => each.data)]) {
        expect(
          count(
            accepted,
            data.filter((text) => known.has(text)),
          ),
        ).toEqual(NONE);
      }
    }
  });
});
