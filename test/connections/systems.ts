import type { SseModuleOptions } from '../../lib/index.js';
import { connect as connectPostgres } from '../event-table/event-table-rig.js';
import { withRedis } from '../redis/instances.js';
import { createDatabase } from '../support/databases.js';
import { startRedis } from '../support/redis.js';

/** What carries the events of a test. */
export interface System {
  readonly options: SseModuleOptions;
  /** Loses all events, so that every client is told. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

export const SYSTEMS: Record<string, () => Promise<System>> = {
  async memory() {
    return { options: {}, forget: async () => undefined, stop: async () => undefined };
  },
  async redis() {
    const redis = await startRedis();
    return {
      options: { broker: 'redis', redis: redis.url, redisStreams: { auditInterval: 500 } },
      forget: () => withRedis(redis.url, async (client) => void (await client.flushall())),
      stop: () => redis.stop(),
    };
  },
  async 'event-table'() {
    const database = await createDatabase();
    return {
      options: {
        broker: 'event-table',
        postgres: database.url,
        eventTable: { install: true },
      },
      async forget() {
        const client = await connectPostgres(database.url);
        await client.query('truncate sse.event restart identity');
      },
      stop: () => database.drop(),
    };
  },
};
