import type { SseModuleOptions } from '../../lib/index.js';
import type { TcpProxy } from '../support/proxy.js';
import { createDatabase } from '../support/databases.js';
import { startRedis } from '../support/redis.js';

/** What carries the events of a test, for instances that share it. */
export interface System {
  readonly options: SseModuleOptions;
  /** The address of the server. */
  readonly url: string;
  /** Options of an instance behind a proxy, which soon gives up, and soon connects again. */
  through(proxy: TcpProxy): SseModuleOptions;
  stop(): Promise<void>;
}

export const SYSTEMS: Record<string, () => Promise<System>> = {
  async memory() {
    return { options: {}, url: '', through: () => ({}), stop: async () => undefined };
  },
  async redis() {
    const redis = await startRedis();
    const options = { broker: 'redis', redisStreams: { retain: { events: 100_000 } } } as const;
    return {
      options: { ...options, redis: redis.url },
      url: redis.url,
      through: ({ host, port }) => ({
        ...options,
        redis: { host, port, retryStrategy: () => 5 },
        redisStreams: { ...options.redisStreams, sendTimeout: 60 },
      }),
      stop: () => redis.stop(),
    };
  },
  async 'event-table'() {
    const database = await createDatabase();
    // With failFast the start waits until the table is there and its reader knows its place.
    const options = {
      broker: 'event-table',
      eventTable: { install: true },
      failFast: true,
    } as const;
    return {
      options: { ...options, postgres: database.url },
      url: database.url,
      through: (proxy) => ({ ...options, postgres: proxy.url(database.url) }),
      stop: () => database.drop(),
    };
  },
};
