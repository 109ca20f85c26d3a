import type { SseModuleOptions } from '../../lib/index.js';
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
};
