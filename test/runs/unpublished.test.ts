import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { BehaviorSubject, of } from 'rxjs';
import { errorLog } from '../support/error-log.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { withRedis } from '../redis/instances.js';

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
  await withRedis(redis.url, (admin) => admin.call('ACL', 'SETUSER', 'silent', 'on', '>secret'));
});
afterEach(closeApps);
afterAll(() => redis.stop());

it('Chunks that Redis does not publish are found later, each once, and the operator is told once', async () => {
  const allow = (...rights: string[]) =>
    withRedis(redis.url, (admin) => admin.call('ACL', 'SETUSER', 'silent', '~*', '&*', ...rights));
  await allow('+@all', '-publish');
  const { lines, logger } = errorLog();
  const start = () =>
    startApp({
      options: {
        broker: 'redis',
        redis: redis.url.replace('redis://', 'redis://silent:secret@'),
        redisStreams: { auditInterval: 100 },
        failFast: true,
        drainTimeout: 0,
      },
      logger,
    });
  const [{ sse }, other] = [await start(), await start()];
  const source = new BehaviorSubject('0');
  const run = await sse.run('chat', source);
  const data: unknown[] = [];
  run.events$.subscribe((event) => void data.push(event.data));
  for (let n = 1; n < 5; n++) {
    source.next(String(n));
    await until(() => data.length === n + 1);
  }
  const told = () => lines.filter((line) => line.includes('hear of chunks late'));
  expect(told()).toEqual([expect.stringMatching(/permission|can't run|not permit/i)]);
  // A stop from elsewhere is heard, too.
  expect(await other.sse.stop('chat')).toBe(true);
  expect(await run.done).toMatchObject({ reason: 'stopped' });
  await until(() => data.length === 7);
  expect(data).toEqual(['0', '1', '2', '3', '4', {}, '[DONE]']);
  await allow('+publish');
  const next = await sse.run('chat', of('5'));
  expect(await next.done).toMatchObject({ reason: 'completed' });
  await sse.run('chat', of('6'));
  expect(told()).toHaveLength(1);
});
