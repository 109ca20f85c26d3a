import type { OnApplicationShutdown } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Sessions } from './sessions.js';

const LIFETIME_S = 24 * 60 * 60;

/** Sessions in Redis, for all instances. */
export class RedisSessions extends Sessions implements OnApplicationShutdown {
  private readonly redis: Redis;

  constructor(url: string) {
    super();
    this.redis = new Redis(url, { maxRetriesPerRequest: 1 });
    // The module reports the outage, once; here it shows in the answer to the request.
    this.redis.on('error', () => {});
  }

  async endAll(name: string): Promise<void> {
    await this.redis.del(keyOf(name));
  }

  onApplicationShutdown(): void {
    this.redis.disconnect();
  }

  protected async add(name: string, secret: string): Promise<void> {
    const key = keyOf(name);
    await this.redis.sadd(key, secret);
    await this.redis.expire(key, LIFETIME_S);
  }

  protected async has(name: string, secret: string): Promise<boolean> {
    return (await this.redis.sismember(keyOf(name), secret)) === 1;
  }
}

function keyOf(name: string): string {
  return `sample:sessions:${name}`;
}
