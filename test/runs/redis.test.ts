import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { BehaviorSubject, lastValueFrom, range, reduce, toArray } from 'rxjs';
import { SseChannel } from '../../lib/index.js';
import { createRedis } from '../support/databases.js';
import { RawStream } from '../endpoint/raw-stream.js';
import { closeApps, startApp } from '../support/start-app.js';

@Controller()
class FollowController {
  @Sse('follow')
  @SseChannel('chat', { run: true })
  follow() {}
}

describe('A run on Redis', () => {
  let redis: Awaited<ReturnType<typeof createRedis>>;
  beforeAll(async () => {
    redis = await createRedis();
  });
  afterAll(() => redis.drop());
  afterEach(closeApps);

  const start = () =>
    startApp({
      options: {
        broker: 'redis',
        redis: redis.url,
        redisStreams: { prefix: redis.keyPrefix },
        failFast: true,
        drainTimeout: 0,
      },
      controllers: [FollowController],
    });

  it('stores a source that emits 100,000 values in one turn', async () => {
    const { sse } = await start();
    const run = await sse.run('burst', range(0, 100_000));
    expect(await run.done).toEqual({ reason: 'completed', chunks: 100_001 });
    let wrong = 0;
    const inOrder = run.events$.pipe(
      reduce((nth, { data }) => {
        wrong += nth === 100_000 || Number(data) === nth ? 0 : 1;
        return nth + 1;
      }, 0),
    );
    expect(await lastValueFrom(inOrder)).toBe(100_001);
    expect(wrong).toBe(0);
  });

  /** What an eviction does. */
  const drop = async (pattern: string) => {
    const client = new Redis(redis.url);
    const keys = await client.keys(redis.keyPrefix + pattern);
    expect(await client.del(...keys)).toBe(keys.length);
    client.disconnect();
  };

  it('is lost for its readers when Redis drops its chunks', async () => {
    const app = await start();
    const source = new BehaviorSubject('a');
    const run = await app.sse.run('chat', source, { lease: 1_000, keep: 60_000 });
    const reader = await RawStream.open(`${app.url}/follow`);
    await reader.event(0);
    await drop('*:chunks');
    source.next('b');
    expect(await run.done).toMatchObject({ reason: 'lost' });
    await reader.closed;
    const [lost, done] = reader.events.slice(-2);
    expect(lost).toMatchObject({
      event: 'sse:error',
      data: expect.stringContaining('"reason":"lost"'),
    });
    expect(done).toMatchObject({ data: '[DONE]' });
    // The channel is free for the next run.
    const next = await app.sse.run('chat', range(0, 2));
    expect(await next.done).toEqual({ reason: 'completed', chunks: 3 });
  });

  it('is lost for clients who come when Redis has dropped its chunks, on an instance that knew none of them', async () => {
    const [one, two] = [await start(), await start()];
    const source = new BehaviorSubject('a');
    const { id } = await one.sse.run('chat', source, { lease: 60_000 });
    source.next('b');
    const first = await RawStream.open(`${one.url}/follow`);
    await first.event(1);
    await drop('*:chunks');
    for (const headers of [{}, { 'last-event-id': `${id}.1` }, { 'last-event-id': `${id}.0` }]) {
      const reader = await RawStream.open(`${two.url}/follow`, { headers });
      await reader.closed;
      expect(reader.events.map(({ event, data }) => `${event} ${data}`)).toEqual([
        expect.stringMatching(/^sse:reset .*"reason":"trimmed"/),
        expect.stringMatching(/^sse:error .*"reason":"lost"/),
        'undefined [DONE]',
      ]);
    }
  });

  it('is lost at the next renewal of its lease when Redis drops its chunks and no more come', async () => {
    const { sse } = await start();
    const run = await sse.run('quiet', new BehaviorSubject('a'), { lease: 1_000 });
    await drop('*{quiet}*:chunks');
    expect(await run.done).toMatchObject({ reason: 'lost' });
  });

  it('is lost when Redis drops the key that names it, and the channel has one run', async () => {
    const { sse } = await start();
    const source = new BehaviorSubject('a');
    const run = await sse.run('named', source, { keep: 1_000 });
    await drop('*{named}:run');
    const next = await sse.run('named', new BehaviorSubject('a'), { keep: 60_000 });
    source.next('b');
    expect(await run.done).toMatchObject({ reason: 'lost' });
    const events = await lastValueFrom(run.events$.pipe(toArray()));
    expect(events.map(({ data }) => data)).toEqual([
      'a',
      expect.objectContaining({ reason: 'lost' }),
      '[DONE]',
    ]);
    const client = new Redis(redis.url);
    const [named] = await client.keys(`${redis.keyPrefix}*{named}:run`);
    expect(await client.get(named!)).toBe(next.id);
    expect(await client.pttl(named!)).toBeGreaterThan(60_000);
    client.disconnect();
    expect(await sse.stop('named')).toBe(true);
  });
});
