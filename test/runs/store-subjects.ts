import type { RunStore } from '../../lib/channel/runs.js';
import { startInstance, stopAll } from '../event-table/event-table-rig.js';
import { instance, stopInstances } from '../redis/instances.js';
import { createDatabase, createRedis } from '../support/databases.js';
import { until } from '../support/until.js';

/** A system that keeps runs for several instances. */
export interface StoreSubject {
  /** The store of one more instance. All have the same runs. */
  open(): Promise<RunStore>;
  /** Closes all stores. The instances stay for those that follow. */
  closeAll(): Promise<void>;
  stop(): Promise<void>;
}

/** Lends the brokers of instances, as starting one for each test takes long. */
function lending(
  start: () => Promise<{ openRuns(): RunStore }>,
): Pick<StoreSubject, 'open' | 'closeAll'> {
  const brokers: { openRuns(): RunStore }[] = [];
  const stores: RunStore[] = [];
  return {
    async open() {
      const place = stores.length;
      const broker = (brokers[place] ??= await start());
      const store = broker.openRuns();
      stores.push(store);
      return store;
    },
    async closeAll() {
      await Promise.all(stores.splice(0).map((store) => store.close()));
    },
  };
}

export const STORES: Record<string, () => Promise<StoreSubject>> = {
  async redis() {
    const redis = await createRedis();
    const start = async () => {
      const { broker, connection } = await instance(redis.url, { prefix: redis.keyPrefix });
      await until(() => connection.client().catch(() => undefined));
      return broker;
    };
    return {
      ...lending(start),
      async stop() {
        await stopInstances();
        await redis.drop();
      },
    };
  },

  async 'the event table'() {
    const database = await createDatabase();
    return {
      ...lending(async () => (await startInstance(database.url)).table),
      async stop() {
        await stopAll();
        await database.drop();
      },
    };
  },
};
