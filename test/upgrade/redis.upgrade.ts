import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { endAppProcesses } from '../redis/app-process.js';
import { NONE } from '../redis/instances.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { BEFORE_FORMATS, olderVersion } from './older-version.js';
import { faultsOf, receivedAll, roll, TODAY } from './rolling.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterEach(endAppProcesses);

afterAll(() => server.stop());

it('instances of the version before and of today replace each other without a loss', async () => {
  const older = olderVersion(BEFORE_FORMATS);
  const rolled = await roll({
    // The last one is the way back.
    versions: [older, older, TODAY, TODAY, older],
    env: () => ({ REDIS_URL: server.url }),
    paths: ['channel', 'channel', 'key'],
  });
  await receivedAll(rolled);
  const { clients, sent } = rolled;
  expect(sent.map(({ rejected }) => rejected)).toEqual([0, 0, 0, 0, 0]);
  expect(clients.map(({ resets }) => resets)).toEqual([[], [], []]);
  for (const client of clients) {
    expect(sent.map((each) => faultsOf(client, each))).toEqual(sent.map(() => NONE));
    expect(client.returns).toBeGreaterThan(0);
  }
  await Promise.all(clients.map((client) => client.close()));
});
