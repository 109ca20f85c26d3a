import type { RunStore } from '../../lib/channel/runs.js';
import { instance, stopInstances } from '../redis/instances.js';
import { createRedis } from '../support/databases.js';
import { until } from '../support/until.js';

/** A system that keeps runs for several instances. */
export interface StoreSubject {
  /** The store of one more instance. All since the last `closeAll()` have the same runs. */
  open(): Promise<RunStore>;
  /** Closes all stores. Those that follow have no runs. */
  closeAll(): Promise<void>;
  stop(): Promise<void>;
}

export const STORES: Record<string, () => Promise<StoreSubject>> = {
  async redis() {
    const redis = await createRedis();
    let tests = 0;
    return {
      async open() {
        const prefix = `${redis.keyPrefix}${tests}:`;
        const { broker, connection } = await instance(redis.url, { prefix });
        await until(() => connection.client().catch(() => undefined));
        return broker.openRuns();
      },
      async closeAll() {
        tests++;
        await stopInstances();
      },
      stop: () => redis.drop(),
    };
  },
};
