import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { startRedis, type RedisServer, type RedisServerOptions } from '../support/redis.js';
import { until } from '../support/until.js';
import { hashSlot } from '../../lib/sources/redis/hash-slot.js';
import { withRedis } from './instances.js';
import { ownerIsKnown } from './slot-owners.js';

/** A master, its replica, and the Sentinel that watches them. */
export interface SentinelGroup {
  readonly servers: readonly RedisServer[];
  readonly options: { sentinels: { host: string; port: number }[]; name: string };
  /** The server that is the master now. */
  master(): Promise<RedisServer>;
  /** Has Sentinel promote the replica while the master is well. */
  failover(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSentinelGroup(): Promise<SentinelGroup> {
  const args = ['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0'];
  const started: RedisServer[] = [];
  const start = async (options: RedisServerOptions) => {
    const server = await startRedis(options);
    started.push(server);
    return server;
  };
  return orStop(started, async () => {
    const master = await start({ args });
    const replica = await start({
      args: [...args, '--replicaof', '127.0.0.1', String(master.port)],
    });
    const sentinel = await start({
      args: ['--sentinel'],
      config: [
        `sentinel monitor main 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds main 500',
        'sentinel failover-timeout main 2000',
      ],
    });
    return watched([master, replica], sentinel);
  });
}

/** Resolves once the replica has all that the master had at the call. */
export async function inStep(master: RedisServer): Promise<void> {
  const offset = async (field: RegExp) => {
    const info = await withRedis(master.url, (redis) => redis.info('replication'));
    return Number(field.exec(info)?.[1]);
  };
  const written = await offset(/^master_repl_offset:(\d+)/m);
  await until(async () => (await offset(/^slave0:.*state=online,offset=(\d+)/m)) >= written);
}

/** Resolves once the Sentinel sees the replica, and the replica is in step with its master. */
async function watched(
  servers: readonly [master: RedisServer, replica: RedisServer],
  sentinel: RedisServer,
): Promise<SentinelGroup> {
  const [master] = servers;
  const ask = new Redis({ port: sentinel.port, host: '127.0.0.1', disconnectTimeout: 100 });
  const currentPort = async () => {
    const [, port] = (await ask.call('SENTINEL', 'get-master-addr-by-name', 'main')) as string[];
    return Number(port);
  };
  await until(async () => {
    const replicas = (await ask.call('SENTINEL', 'replicas', 'main')) as string[][];
    return replicas.length === 1 && replicas[0]!.includes('ok');
  });
  await until(() =>
    withRedis(master.url, async (node) =>
      String(await node.info('replication')).includes('state=online'),
    ),
  );
  return {
    servers,
    options: { sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: 'main' },
    master: async () => {
      const port = await currentPort();
      return servers.find((server) => server.port === port)!;
    },
    failover: async () => {
      const before = await currentPort();
      await until(() =>
        ask.call('SENTINEL', 'failover', 'main').then(
          () => true,
          () => false,
        ),
      );
      await until(async () => (await currentPort()) !== before);
    },
    stop: async () => {
      ask.disconnect();
      await Promise.all([sentinel, ...servers].map((server) => server.stop()));
    },
  };
}

/** A server that was started must not outlive a set-up that failed. */
async function orStop<T>(servers: readonly RedisServer[], setUp: () => Promise<T>): Promise<T> {
  try {
    return await setUp();
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  }
}

/** The commands that this server knows. */
export async function commandsOf(redis: Redis): Promise<ReadonlySet<string>> {
  const replies = (await redis.call('COMMAND')) as readonly (readonly [name: string])[];
  return new Set(replies.map(([name]) => name));
}

/** Has the server move a slot as a whole; false when it cannot. */
async function movedAsAWhole(node: Redis, slot: number, to: string): Promise<boolean> {
  try {
    await node.call('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', slot, slot, 'NODE', to);
    return true;
  } catch {
    return false;
  }
}

/** Gives a node of a new Cluster the slots from `first` to before `end`, as Redis 6.2 can as well. */
export async function addSlots(node: Redis, first: number, end: number): Promise<void> {
  await node.cluster('ADDSLOTS', ...Array.from({ length: end - first }, (_, n) => first + n));
}

/** Whom a client of the Cluster logs in as. */
export type ClusterUser = Pick<RedisOptions, 'username' | 'password' | 'enableReadyCheck'>;

/** Three masters, of which one has a replica, by default the first. */
export interface TestCluster {
  readonly masters: readonly RedisServer[];
  readonly replica: RedisServer;
  /** Whether messages stay within a shard: not below Redis 7. */
  readonly sharded: boolean;
  client(user?: ClusterUser): Cluster;
  /** Which of the masters holds the slot of this key. */
  ownerOf(key: string): Promise<RedisServer>;
  /** Moves the slot of this key to another master, key by key or, where Valkey 9 can, as a whole. */
  migrate(key: string, to: RedisServer, how?: 'key by key' | 'as a whole'): Promise<void>;
  stop(): Promise<void>;
}

/** @param replicated which of the masters has a replica */
export async function startCluster(replicated = 0): Promise<TestCluster> {
  const args =
    '--cluster-enabled yes --cluster-node-timeout 1000 --repl-diskless-sync-delay 0'.split(' ');
  args.push('--cluster-announce-ip', '127.0.0.1');
  const servers = await Promise.all([0, 1, 2, 3].map(() => startRedis({ args })));
  return orStop(servers, () => joined(servers, replicated));
}

/** Makes these servers a Cluster, and resolves once every one of them says that it works. */
async function joined(servers: readonly RedisServer[], replicated: number): Promise<TestCluster> {
  const [replica, ...masters] = servers.toReversed() as [RedisServer, ...RedisServer[]];
  const on = <T>(server: RedisServer, use: (redis: Redis) => Promise<T>) =>
    withRedis(server.url, use);
  const idOf = (server: RedisServer) =>
    on(server, async (node) => String(await node.call('CLUSTER', 'MYID')));

  const bounds = [0, 5_461, 10_923, 16_384];
  for (const [index, master] of masters.entries()) {
    await on(master, async (node) => {
      await node.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
      await addSlots(node, bounds[index]!, bounds[index + 1]!);
    });
  }
  for (const server of servers.filter((one) => one !== masters[0])) {
    await on(masters[0]!, (node) => node.call('CLUSTER', 'MEET', '127.0.0.1', server.port));
  }
  const info = (server: RedisServer, name: string) =>
    on(
      server,
      async (node) =>
        new RegExp(`${name}:(\\w+)`).exec(String(await node.call('CLUSTER', 'INFO')))?.[1],
    );
  await until(async () => {
    const known = await Promise.all(servers.map((server) => info(server, 'cluster_known_nodes')));
    return known.every((count) => count === '4');
  });
  const replicatedId = await idOf(masters[replicated]!);
  await until(() =>
    on(replica, (node) => node.call('CLUSTER', 'REPLICATE', replicatedId)).then(
      () => true,
      () => false,
    ),
  );
  await until(() =>
    on(replica, async (node) =>
      String(await node.info('replication')).includes('master_link_status:up'),
    ),
  );
  await until(async () => {
    const states = await Promise.all(servers.map((server) => info(server, 'cluster_state')));
    return states.every((state) => state === 'ok');
  });

  const ownerOf = async (key: string) => {
    const slot = hashSlot(key);
    const ranges = await on(masters[1]!, (node) => node.call('CLUSTER', 'SLOTS'));
    const range = (ranges as [number, number, [string, number]][]).find(
      ([first, last]) => first <= slot && slot <= last,
    )!;
    return servers.find((server) => server.port === range[2][1])!;
  };
  return {
    masters,
    replica,
    sharded: await on(masters[0]!, async (node) => (await commandsOf(node)).has('spublish')),
    client: (user) => {
      const cluster = new Cluster([{ host: '127.0.0.1', port: masters[1]!.port }], {
        // Disconnecting from a lost node lasts as long as this, and keeps the process.
        redisOptions: { maxRetriesPerRequest: 3, disconnectTimeout: 100, ...user },
      });
      cluster.on('error', () => undefined);
      return cluster;
    },
    ownerOf,
    migrate: async (key, to, how) => {
      const slot = hashSlot(key);
      const from = await ownerOf(key);
      const [fromId, toId] = [await idOf(from), await idOf(to)];
      if (how === 'as a whole' && (await on(from, (node) => movedAsAWhole(node, slot, toId)))) {
        await until(async () => (await ownerOf(key)) === to);
        return;
      }
      await on(to, (node) => node.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId));
      await on(from, async (node) => {
        await node.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
        for (;;) {
          const keys = (await node.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
          if (keys.length === 0) {
            break;
          }
          await node.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys);
        }
      });
      for (const server of [to, from, ...masters]) {
        await on(server, (node) => node.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)).catch(
          () => undefined,
        );
      }
      const urls = masters.map(({ url }) => url);
      await ownerIsKnown(urls, slot, toId);
    },
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}
