import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import { connect, stopAll } from '../event-table/event-table-rig.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { parseExposition, valueOf } from './exposition.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

const read = (app: TestApp, name: string, labels?: Record<string, string>) =>
  valueOf(app.sse.metrics(), name, labels);

describe('sse.metrics() with Redis', () => {
  let server: RedisServer;
  beforeAll(async () => void (server = await startRedis()));
  afterEach(closeApps);
  afterAll(() => server.stop());

  const start = () =>
    startApp({ controllers: [NewsController], options: { redis: server.url, broker: 'redis' } });

  it('has how long events were under way, and what publishing took', async () => {
    const [one, two] = [await start(), await start()];
    const client = await two.connect('/news');
    for (let n = 0; n < 5; n++) {
      await one.sse.send('news', n);
    }
    await client.take(5);
    const ofRedis = { sse_source: 'redis' };
    expect(read(two, 'sse_received_events_total', ofRedis)).toBe(5);
    const delays = read(two, 'sse_received_delay_seconds_count', ofRedis);
    expect(delays).toBeGreaterThan(0);
    expect(delays).toBeLessThanOrEqual(5);
    expect(read(two, 'sse_redis_streams_behind')).toBe(0);
    expect(read(one, 'sse_publish_duration_seconds_count', { sse_publish_target: 'redis' })).toBe(
      5,
    );
    // No client of its own reads there.
    expect(read(one, 'sse_received_events_total')).toBe(0);
    expect(parseExposition(one.sse.metrics()).has('sse_event_table_backlog')).toBe(false);
  });

  it('counts an outage while the server is away, and its length once it is back', async () => {
    const app = await start();
    await app.connect('/news');
    await app.sse.send('news', 'before');
    const away = () => read(app, 'sse_outage_active', { sse_outage_system: 'redis' });
    await server.kill();
    await until(() => away() >= 1);
    await expect(app.sse.send('news', 'lost')).rejects.toThrow();
    expect(read(app, 'sse_publish_duration_seconds_count', { error_type: 'UNAVAILABLE' })).toBe(1);
    await server.start();
    await until(() => away() === 0);
    expect(
      read(app, 'sse_outage_duration_seconds_count', { sse_outage_system: 'redis' }),
    ).toBeGreaterThanOrEqual(1);
  });
});

describe('sse.metrics() with the event table', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await createDatabase()));
  afterEach(async () => {
    await closeApps();
    await stopAll();
  });
  afterAll(() => database.drop());

  it('has delays, the backlog behind an open transaction, and who is elected', async () => {
    const app = await startApp({
      controllers: [NewsController],
      options: {
        postgres: database.url,
        broker: 'event-table',
        eventTable: { install: true },
        failFast: true,
      },
    });
    const client = await app.connect('/news');
    await app.sse.send('news', 'one');
    await client.take(1);
    const delays = () =>
      read(app, 'sse_received_delay_seconds_count', { sse_source: 'event-table' });
    expect(delays()).toBe(1);
    await until(() => read(app, 'sse_event_table_elected') === 1);
    await until(() => read(app, 'sse_event_table_backlog') === 0);

    const writer = await connect(database.url);
    await writer.query('begin');
    await writer.query(`select sse.publish('news', '"held"')`);
    await app.sse.send('news', 'two');
    await until(() => read(app, 'sse_event_table_backlog') >= 2);
    await until(() => read(app, 'sse_event_table_stuck_seconds') > 5);
    await writer.query('commit');
    await client.take(2);
    await until(() => read(app, 'sse_event_table_backlog') === 0);
    expect(delays()).toBe(3);
    expect(read(app, 'sse_event_table_stuck_seconds')).toBe(0);
    await until(() => read(app, 'sse_event_table_disk_size_bytes') > 0);
  });
});
