import { RedisBroker } from '../../lib/sources/redis/redis-broker.js';
import { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import { RedisStreams } from '../../lib/sources/redis/redis-streams.js';
import { readOptions } from '../../lib/sources/options/option-table.js';
import {
  REDIS_STREAMS_OPTIONS,
  type RedisStreamsOptions,
} from '../../lib/sources/redis/redis-streams.options.js';

/** A broker without an application around it. */
export interface BareBroker {
  readonly broker: RedisBroker;
  stop(): Promise<void>;
}

export async function startBroker(
  url: string,
  options: RedisStreamsOptions = {},
): Promise<BareBroker> {
  const connection = new RedisConnection(url, console);
  const streams = new RedisStreams(
    connection,
    readOptions(REDIS_STREAMS_OPTIONS, options),
    console,
  );
  const broker = new RedisBroker(streams);
  await connection.start(true);
  await streams.start(true);
  await broker.start();
  return {
    broker,
    stop: async () => {
      await broker.stop();
      await streams.stop();
      await connection.stop();
    },
  };
}
