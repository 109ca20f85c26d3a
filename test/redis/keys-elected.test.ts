import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { commandCounts } from '../cache/redis-rig.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import {
  electing,
  polled,
  questionsPerSecond,
  stopElecting,
  untilElected,
  type Electing,
} from './elected-rig.js';
import { count, type Recorded } from './instances.js';

let server: TestRedis;
let redis: Redis;
let tests = 0;
let prefix = '';

beforeAll(async () => {
  server = await createRedis();
  redis = new Redis(server.url);
});

beforeEach(() => {
  prefix = `${server.keyPrefix}${++tests}:`;
});

afterEach(stopElecting);

afterAll(async () => {
  redis.disconnect();
  await server.drop();
});

// Comparisons of streams are calls too, and are not what is counted here.
const start = (): Promise<Electing> => electing(server.url, { prefix, auditInterval: 60_000 });
const startThree = () => Promise.all([start(), start(), start()]);
const positionsOf = (recorded: Recorded) => recorded.events.map(({ position }) => position);

describe("A key with poller: 'elected'", () => {
  it('causes as many polls from three instances as from one', async () => {
    const key = `${prefix}rate`;
    const options = { interval: 50 };
    const one = await start();
    const recorded = [one.read(key, options)];
    await untilElected([one], recorded, 1);
    const alone = await questionsPerSecond(redis);
    const instances = [one, await start(), await start()];
    recorded.push(...instances.slice(1).map((other) => other.read(key, options)));
    await untilElected(instances, recorded, 1);
    const together = await questionsPerSecond(redis);
    recorded.push(...instances.map((other) => other.read(key, { ...options, poller: 'each' })));
    await until(() => polled(instances).every((keys) => keys === 1));
    const each = await questionsPerSecond(redis);
    // A machine that is busy polls late, and never too often.
    const nominal = 1_000 / options.interval;
    for (const rate of [alone, together]) {
      expect(rate).toBeGreaterThan(nominal / 3);
      expect(rate).toBeLessThan(nominal * 1.1);
    }
    expect(each).toBeGreaterThan(1.8 * together);
    expect(each).toBeLessThan(nominal * 3.3);
  });

  it('is polled together with other keys, in a few round trips', async () => {
    const keys = Array.from({ length: sized({ quick: 1_000, soak: 10_000 }) }, (_, n) => `${n}`);
    const instances = await startThree();
    const readers: Recorded[] = [];
    for (const one of instances) {
      readers.push(...keys.map((key) => one.read(prefix + key, { interval: 1_000 })));
      await untilElected(instances, readers, keys.length);
    }
    await until(() => polled(instances).join() === `${keys.length},0,0`);
    // Each key is polled at once when it is opened, which is not counted.
    await questionsPerSecond(redis);
    const scripts = async () => (await commandCounts(redis)).get('evalsha') ?? 0;
    const before = await scripts();
    const began = performance.now();
    const questions = await questionsPerSecond(redis, 2);
    const calls = ((await scripts()) - before) / ((performance.now() - began) / 1_000);
    // One question covers up to 50 keys, and a twentieth of the keys is due at a time.
    expect(questions).toBeGreaterThan(keys.length / 50 / 3);
    expect(questions).toBeLessThan((keys.length / 50) * 1.3);
    // Four calls a second of each instance, whatever the number of keys.
    expect(calls).toBeLessThanOrEqual(3 * 4 * 1.25);
  });

  it('gives every value to every instance, once and in one order', async () => {
    const instances = await startThree();
    const keys = Array.from({ length: 100 }, (_, n) => `${prefix}many-${n}`);
    const recorded = instances.map((one) => keys.map((key) => one.read(key)));
    await untilElected(instances, recorded.flat(), keys.length);
    const sent = keys.map((): string[] => []);
    for (let round = 0; round < 20; round++) {
      await Promise.all(
        keys.map(async (key, n) => {
          sent[n]!.push(`pushed ${round}`, `sent ${round}`);
          await redis.rpush(key, `pushed ${round}`);
          await instances[(round + n) % 3]!.source.sendKey(key, `sent ${round}`);
        }),
      );
    }
    await until(() => recorded.flat().every(({ events }) => events.length >= 40));
    keys.forEach((_, n) => {
      const [first, ...others] = recorded.map((one) => one[n]!);
      expect(count(sent[n]!, first!.data)).toMatchObject({ lost: 0, twice: 0 });
      others.forEach((other) => expect(positionsOf(other)).toEqual(positionsOf(first!)));
    });
    expect(recorded.flat().flatMap(({ resets }) => resets)).toEqual([]);
    await until(() => polled(instances).reduce((sum, polls) => sum + polls, 0) === keys.length);
  });
});
