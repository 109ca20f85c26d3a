import { Redis } from 'ioredis';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import { RedisKeyStore } from '../../lib/sources/cache/redis-store.js';
import { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import type { RedisOption } from '../../lib/sources/redis/redis-option.js';
import { LogRecorder } from './recorder.js';

/** One instance of the application, as far as keys in Redis are concerned. */
export interface Instance {
  readonly source: CacheSource;
  readonly connection: RedisConnection;
  readonly log: LogRecorder;
  stop(): Promise<void>;
}

export async function instance(redis: RedisOption): Promise<Instance> {
  const log = new LogRecorder();
  const connection = new RedisConnection(redis, log);
  const source = new CacheSource(new RedisKeyStore(connection), log);
  await connection.start(false);
  return {
    source,
    connection,
    log,
    async stop() {
      await source.stop();
      await connection.stop();
    },
  };
}

/** How often the server has run each command. */
export async function commandCounts(redis: Redis): Promise<Map<string, number>> {
  const info = await redis.info('commandstats');
  return new Map(
    [...info.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name, calls]) => [
      name!.toLowerCase(),
      Number(calls),
    ]),
  );
}
