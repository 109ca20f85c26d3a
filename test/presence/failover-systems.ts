import type { Cluster } from 'ioredis';
import pg from 'pg';
import type { SseModuleOptions } from '../../lib/index.js';
import { replicated, startStandbyPair } from '../event-table/standby-pair.js';
import { withRedis } from '../redis/instances.js';
import { inStep, startCluster, startSentinelGroup } from '../redis/topologies.js';
import type { RedisServer } from '../support/redis.js';

/** A system of which another server takes over when one is killed. */
export interface FailoverSystem {
  /** Options of one instance. */
  options(): SseModuleOptions;
  /** Has the failover lose what is written from now on. */
  lag(): Promise<void>;
  /** Kills the server, and resolves once the other one is about to take over. */
  failover(): Promise<void>;
  stop(): Promise<void>;
}

export const FAILOVER_SYSTEMS: Record<string, () => Promise<FailoverSystem>> = {
  async 'Redis with Sentinel'() {
    const group = await startSentinelGroup();
    const [master, replica] = group.servers as [RedisServer, RedisServer];
    return {
      ...redisFailover(master, replica),
      options: () => ({ broker: 'redis', redis: group.options }),
      stop: () => group.stop(),
    };
  },

  'a Redis Cluster whose node with channels is lost': () => clusterFailover(0),

  'a Redis Cluster whose node with the list of instances is lost': () => clusterFailover(2),

  async 'the event table, on a standby that is promoted'() {
    const pair = await startStandbyPair();
    const { primary, standby, link, proxy } = pair;
    let isBehind = false;
    return {
      options: () => ({
        broker: 'event-table',
        postgres: proxy.url(primary.url),
        eventTable: { install: true },
      }),
      async lag() {
        await replicated(primary.url);
        link.refuse();
        link.cut();
        isBehind = true;
      },
      async failover() {
        if (!isBehind) await replicated(primary.url);
        await primary.killServer();
        proxy.redirect(standby.url);
        proxy.cut();
        const admin = new pg.Client({ connectionString: standby.url });
        await admin.connect();
        await admin.query('select pg_promote()');
        await admin.end();
      },
      stop: () => pair.stop(),
    };
  },
};

/** @param nth the master that is lost */
async function clusterFailover(nth: number): Promise<FailoverSystem> {
  const cluster = await startCluster(nth);
  const clients: Cluster[] = [];
  return {
    ...redisFailover(cluster.masters[nth]!, cluster.replica),
    options() {
      const redis = cluster.client();
      clients.push(redis);
      return { broker: 'redis', redis, readyTimeout: 30_000 };
    },
    async stop() {
      clients.forEach((client) => client.disconnect());
      await cluster.stop();
    },
  };
}

function redisFailover(
  master: RedisServer,
  replica: RedisServer,
): Pick<FailoverSystem, 'lag' | 'failover'> {
  let isBehind = false;
  return {
    async lag() {
      await inStep(master);
      process.kill(replica.pid, 'SIGSTOP');
      await withRedis(master.url, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'replica'));
      isBehind = true;
    },
    async failover() {
      if (!isBehind) await inStep(master);
      await master.kill();
      if (isBehind) process.kill(replica.pid, 'SIGCONT');
    },
  };
}
