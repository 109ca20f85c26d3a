import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { startRedis, type RedisServer } from '../support/redis.js';
import { stopInstances } from './instances.js';

/** The server of the test file that has called `useOwnRedis()`. */
export let redis: RedisServer;
/** The prefix of the test that runs: each has its own. */
export let prefix = '';

/** Starts a server for the tests of a file, and stops each test's instances after it. */
export function useOwnRedis(): void {
  let tests = 0;
  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(() => {
    prefix = `sse:${++tests}:`;
  });
  afterEach(stopInstances);
  afterAll(async () => {
    await redis.stop();
  });
}
