import { Redis } from 'ioredis';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import { RedisKeyStore, type RedisKeyLimits } from '../../lib/sources/cache/redis/redis-store.js';
import type { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import type { RedisOption } from '../../lib/sources/redis/redis-option.js';
import type { RedisStreams } from '../../lib/sources/redis/redis-streams.js';
import type { RedisStreamsOptions } from '../../lib/sources/redis/redis-streams.options.js';
import { instance as streamsInstance } from '../redis/instances.js';
import type { LogRecorder } from './recorder.js';

/** One instance of the application, as far as keys in Redis are concerned. */
export interface Instance {
  readonly source: CacheSource;
  readonly connection: RedisConnection;
  readonly streams: RedisStreams;
  readonly log: LogRecorder;
  stop(): Promise<void>;
}

export async function instance(
  redis: RedisOption,
  options: RedisStreamsOptions = {},
  limits: RedisKeyLimits = {},
): Promise<Instance> {
  const one = await streamsInstance(redis, { retain: { events: 50_000 }, ...options });
  const { log, connection, streams } = one;
  const source = new CacheSource(new RedisKeyStore(streams, limits), log);
  return {
    source,
    connection,
    streams,
    log,
    async stop() {
      await source.stop();
      await one.stop();
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
