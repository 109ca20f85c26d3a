import type { OnApplicationShutdown } from '@nestjs/common';
import { Redis } from 'ioredis';
import { MemoryStore } from '../lib/index.js';
import type { KeyStore } from './tokens.js';

/** A key store, and the options that make the module read the same one. */
export type SampleKeyStore = KeyStore & {
  readonly options: { redis: string } | { cache: MemoryStore };
};

/** Redis where there is a URL, else a store in this process. */
export function createKeyStore(redisUrl: string | undefined): SampleKeyStore {
  return redisUrl === undefined ? new ProcessKeys() : new RedisKeys(redisUrl);
}

class ProcessKeys implements SampleKeyStore {
  private readonly store = new MemoryStore();
  readonly options = { cache: this.store };

  set(key: string, value: string): unknown {
    return this.store.set(key, value);
  }
}

/** A connection beside the module's, as another program would have one. */
class RedisKeys implements SampleKeyStore, OnApplicationShutdown {
  private readonly redis: Redis;
  readonly options: { redis: string };

  constructor(url: string) {
    this.options = { redis: url };
    this.redis = new Redis(url, { maxRetriesPerRequest: 1 });
    // The module reports the outage, once; here it shows in the answer to the request.
    this.redis.on('error', () => {});
  }

  set(key: string, value: string): Promise<unknown> {
    return this.redis.set(key, value);
  }

  onApplicationShutdown(): void {
    this.redis.disconnect();
  }
}
