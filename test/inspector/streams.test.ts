import { afterEach, describe, expect, test } from '@jest/globals';
import { Injectable, type CallHandler, type NestInterceptor } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { map, type Observable } from 'rxjs';
import { SseService } from '../../lib/index.js';
import { Delivery } from '../../lib/delivery/delivery.js';
import { Metrics } from '../../lib/metrics/metrics.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startInspector, TOKEN } from './rig.js';

afterEach(closeApps);

const WITH_TOKEN = { headers: TOKEN };

const typesOf = ({ events }: SseTestClient, type: string): unknown[] =>
  events.filter((event) => event.type === type).map(({ data }) => JSON.parse(data));

@Injectable()
class Wrapping implements NestInterceptor {
  intercept(_: unknown, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((wrapped: unknown) => ({ wrapped })));
  }
}

describe.each(ADAPTERS)('on %s', (adapter) => {
  test('a follower sees events as they come, and the end of the channel', async () => {
    const { app, sse, connect, ask } = await startInspector(
      { showData: true },
      { adapter, options: { linger: 500 } },
    );
    await sse.send('news', 'before');
    const client = await connect('/inspector/follow?channel=news', WITH_TOKEN);
    const id = await sse.send('news', { n: 1 }, { type: 'told' });
    expect(await client.next()).toMatchObject({ type: 'event' });
    expect(typesOf(client, 'event')).toEqual([
      { place: 2, id, type: 'told', size: 7, at: expect.any(Number), data: '{"n":1}' },
    ]);
    // It does not keep the channel open, as a reader would.
    const { channels } = app.get(Delivery);
    expect([...channels.channels].map(({ readers, places }) => readers.size + places.size)).toEqual(
      [0],
    );
    const end = await client.closed;
    expect([end.by, client.events.at(-1)!.type]).toEqual(['server', 'gone']);
    // It does not open one either.
    const { status, body } = await ask('/inspector/follow?channel=news');
    expect([status, body]).toEqual([
      404,
      {
        statusCode: 404,
        code: 'INVALID_CHANNEL',
        message: 'The channel "news" is not open on this instance.',
      },
    ]);
    expect(channels.size).toBe(0);
  });

  test('interceptors of the application change nothing of it', async () => {
    const providers = [{ provide: APP_INTERCEPTOR, useClass: Wrapping }];
    const { ask, sse, connect } = await startInspector({}, { adapter, providers });
    await sse.send('news', 'x');
    const live = await connect('/inspector/live', WITH_TOKEN);
    expect(JSON.parse((await live.next()).data)).toMatchObject({ totals: { channels: 1 } });
    expect(live.events[0]!.type).toBe('overview');
    expect((await ask('/inspector/channels')).body).toMatchObject({ total: 1 });
    expect((await ask('/inspector/follow?channel=none')).status).toBe(404);
  });

  test('shutdown ends its streams', async () => {
    const { app, sse, connect } = await startInspector({}, { adapter });
    await sse.send('news', 'x');
    const clients = [
      await connect('/inspector/live', WITH_TOKEN),
      await connect('/inspector/follow?channel=news', WITH_TOKEN),
    ];
    await app.close();
    for (const client of clients) {
      expect((await client.closed).by).toBe('server');
    }
  });
});

test('streams of a quiet channel that are closed make room for others', async () => {
  const { connect, sse } = await startInspector({}, { options: { linger: 600_000 } });
  await sse.send('quiet', 'first');
  const follow = (): Promise<SseTestClient> =>
    connect('/inspector/follow?channel=quiet', WITH_TOKEN);
  const clients = await Promise.all(Array.from({ length: 20 }, follow));
  expect((await follow()).opened.status).toBe(503);
  await Promise.all(clients.map((client) => client.close()));
  await until(async () => (await follow()).opened.status === 200);
});

test('a follower of a busy channel sees some events, and how many it does not see', async () => {
  const { app, connect } = await startInspector({}, { options: { retain: { events: 10 } } });
  const sse = app.get(SseService);
  await sse.send('busy', 'first');
  const client = await connect('/inspector/follow?channel=busy', WITH_TOKEN);
  const sent = 2_000;
  for (let n = 0; n < sent; n++) {
    void sse.send('busy', 'x');
  }
  const count = (): number => {
    const skipped = typesOf(client, 'skipped') as { count: number }[];
    return typesOf(client, 'event').length + skipped.reduce((sum, each) => sum + each.count, 0);
  };
  await until(() => count() === sent);
  const shown = typesOf(client, 'event');
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.length).toBeLessThanOrEqual(50);
});

test('systems that are away are told, without secrets', async () => {
  const { connect } = await startInspector(
    {},
    { options: { redis: 'redis://me:SECRET@127.0.0.1:1' } },
  );
  const client = await connect('/inspector/live', WITH_TOKEN);
  const told = await until(() => {
    const { data } = client.events.at(-1) ?? { data: '{}' };
    const overview = JSON.parse(data) as { outages?: object[]; systems?: object[]; at: number };
    return overview.outages?.length && overview;
  });
  const [outage] = told.outages as { system: string; from: number; to?: number; error: string }[];
  expect(outage).toEqual({ system: 'redis', from: expect.any(Number), error: expect.any(String) });
  expect(outage!.from).toBeLessThanOrEqual(told.at);
  expect(told.systems).toEqual([
    { name: 'redis', up: false, since: expect.any(Number), error: outage!.error },
  ]);
  expect(client.events.map(({ data }) => data).join('')).not.toContain('SECRET');
});

test('rates are those of the last seconds, while a page is open', async () => {
  const { ask, sse, connect } = await startInspector();
  await sse.send('calm', 'x');
  await connect('/inspector/live', WITH_TOKEN);
  const [busy, calm] = await until(async () => {
    await sse.send('busy', 'x');
    const { rows } = (await ask('/inspector/channels?sort=rate')).body as {
      rows: { name: string; rate: number }[];
    };
    return rows[0]?.name === 'busy' && rows[0].rate > 0 && rows;
  });
  expect(busy!.rate).toBeGreaterThan(calm!.rate);
});

test('open pages share one overview, and nothing runs once they are closed', async () => {
  const { app, connect } = await startInspector();
  const { channels } = app.get(Delivery);
  const metrics = app.get(Metrics);
  let walks = 0;
  const registry = channels as unknown as { channels: unknown };
  const walk = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(channels), 'channels')!.get!;
  Object.defineProperty(registry, 'channels', {
    get: () => {
      walks++;
      return walk.call(channels) as unknown;
    },
  });
  expect(metrics.delivery.channels).toBe(channels);
  const pages: SseTestClient[] = [];
  for (let n = 0; n < 5; n++) {
    pages.push(await connect('/inspector/live', WITH_TOKEN));
  }
  await until(() => pages.every(({ events }) => events.length >= 3));
  // Each page has its own first one, unless it came soon after another; the others are shared.
  expect(walks).toBeLessThanOrEqual(
    pages.length + Math.max(...pages.map(({ events }) => events.length)),
  );
  const texts = pages.map(({ events }) => new Set(events.map(({ data }) => data)));
  const [first, ...others] = texts;
  for (const other of others) {
    expect([...other].filter((text) => first!.has(text)).length).toBeGreaterThan(0);
  }
  await Promise.all(pages.map((page) => page.close()));
  await until(() => metrics.delivery.connections.size === 0);
  // Two periods, measured by another page's stream of another application.
  const other = await startInspector();
  const clock = await other.connect('/inspector/live', WITH_TOKEN);
  await until(() => clock.events.length >= 2);
  walks = 0;
  await until(() => clock.events.length >= 5);
  expect(walks).toBe(0);
});

test('so many pages may be open, and not more', async () => {
  const { ask, connect } = await startInspector();
  const pages = [];
  for (let n = 0; n < 20; n++) {
    pages.push(await connect('/inspector/live', WITH_TOKEN));
  }
  const { status, body } = await ask('/inspector/live');
  expect([status, body.code]).toEqual([503, 'LIMIT_REACHED']);
  expect(body.message).toContain('20 open pages');
  await pages[0]!.close();
  // The place is free once the stream has noticed.
  const again = await until(async () => {
    const client = await connect('/inspector/live', WITH_TOKEN);
    return client.opened.status === 200 && client;
  });
  expect((await again.next()).type).toBe('overview');
});
