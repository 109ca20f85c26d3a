import pg from 'pg';
import type { SseModuleOptions } from '../../lib/index.js';
import { createDatabase } from '../support/databases.js';
import { withRedis } from '../redis/instances.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { startRedis } from '../support/redis.js';

/** A system in which all instances keep who is present. */
export interface System {
  /** Options of an instance, behind the proxy or straight. All in one test have the same name. */
  options(name: string, proxied: boolean): SseModuleOptions;
  readonly proxy: TcpProxy;
  /** Loses everything that it holds. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

export const SYSTEMS: Record<string, () => Promise<System>> = {
  async redis() {
    const redis = await startRedis();
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
  },

  async 'event-table'() {
    const database = await createDatabase();

    const proxy = await startProxy(database.url);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const schemas = new Set<string>();
    return {
      proxy,
      options(name, proxied) {
        const schema = name.replaceAll(/\W/g, '_');
        schemas.add(schema);
        return {
          broker: 'event-table',
          postgres: proxied ? proxy.url(database.url) : database.url,
          eventTable: { schema, install: true },
        };
      },
      async forget() {
        for (const schema of schemas) {
          await client.query(`truncate ${schema}.seat`).catch(() => undefined);
        }
      },
      async stop() {
        await client.end();
        await proxy.close();
        await database.drop();
      },
    };
  },
};
