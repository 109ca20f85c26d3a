import pg from 'pg';
import type { SseModuleOptions } from '../../lib/index.js';
import { createDatabase } from '../support/databases.js';
import { withRedis } from '../redis/instances.js';
import { startPostgres } from '../support/postgres.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { startRedis, type RedisServer } from '../support/redis.js';

/** A system in which all instances keep who is present. */
export interface System {
  /** Options of an instance, behind the proxy or straight. All in one test have the same name. */
  options(name: string, proxied: boolean): SseModuleOptions;
  readonly proxy: TcpProxy;
  /** Loses everything that it holds. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

/** A system that keeps what it has taken when its server is killed. */
export interface DurableSystem extends System {
  kill(): Promise<void>;
  /** Starts the killed server again. */
  start(): Promise<void>;
}

/** On servers that other tests may use as well. */
export const SYSTEMS: Record<string, () => Promise<System>> = {
  redis: async () => onRedis(await startRedis()),
  async 'event-table'() {
    const database = await createDatabase();
    return onPostgres(database.url, () => database.drop());
  },
};

/** On servers of their own. */
export const DURABLE_SYSTEMS: Record<string, () => Promise<DurableSystem>> = {
  async redis() {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    return { ...(await onRedis(redis)), kill: () => redis.kill(), start: () => redis.start() };
  },
  async 'event-table'() {
    const server = await startPostgres({ durable: true });
    return {
      ...(await onPostgres(server.url, () => server.stop())),
      kill: () => server.killServer(),
      start: () => server.startServer(),
    };
  },
};

async function onRedis(redis: RedisServer): Promise<System> {
  const proxy = await startProxy(redis);
  return {
    proxy,
    options: (name, proxied) => ({
      broker: 'redis',
      redis: proxied ? proxy.url(redis.url) : redis.url,
      redisStreams: { prefix: `${name}:`, auditInterval: 500 },
    }),
    forget: () => withRedis(redis.url, async (client) => void (await client.flushall())),
    async stop() {
      await proxy.close();
      await redis.stop();
    },
  };
}

async function onPostgres(url: string, stop: () => Promise<void>): Promise<System> {
  const proxy = await startProxy(url);
  const schemas = new Set<string>();
  return {
    proxy,
    options(name, proxied) {
      const schema = name.replaceAll(/\W/g, '_');
      schemas.add(schema);
      return {
        broker: 'event-table',
        postgres: proxied ? proxy.url(url) : url,
        eventTable: { schema, install: true },
      };
    },
    async forget() {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      for (const schema of schemas) {
        await client.query(`truncate ${schema}.seat`).catch(() => undefined);
      }
      await client.end();
    },
    async stop() {
      await proxy.close();
      await stop();
    },
  };
}
