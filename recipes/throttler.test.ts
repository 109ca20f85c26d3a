import { Controller, Module, Sse } from '@nestjs/common';
import { SkipThrottle, Throttle } from '@nestjs/throttler';
import { EventSource } from 'eventsource';
import { SseChannel } from 'nestjs-sse-channels';
import { deepEqual, equal } from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import { until } from '../test/support/until.js';
import { ADAPTERS, closeAll, closeLater, start } from './support/start.js';
import { AppModule } from './throttler.js';

@Controller()
class ThrottledController {
  @Throttle({ default: { ttl: 60_000, limit: 2 } })
  @Sse('throttled')
  @SseChannel('news')
  events() {}

  @SkipThrottle()
  @Sse('skipped-above')
  @SseChannel('news')
  above() {}

  @Sse('skipped-below')
  @SseChannel('news')
  @SkipThrottle()
  below() {}
}

@Module({ imports: [AppModule], controllers: [ThrottledController] })
class ThrottledModule {}

describe('a throttler', () => {
  afterEach(closeAll);

  for (const adapter of ADAPTERS) {
    it(`lets streams alone that skip it, on ${adapter}`, async () => {
      const { url, sse, connect } = await start(AppModule, adapter);
      let client = await connect('/jobs/7/events');
      for (let count = 0; count < 25; count++) {
        await client.close();
        await until(() => sse.stats().connections === 0);
        client = await client.reconnect();
        equal(client.opened.status, 200);
      }
      closeLater(() => client.close());
      await sse.send('job:7', 'event');
      equal((await client.next()).data, 'event');
      const statuses = [];
      for (let count = 0; count < 21; count++) statuses.push((await fetch(`${url}/jobs/7`)).status);
      equal(statuses.lastIndexOf(200), 19);
      equal(statuses[20], 429);
    });

    it(`answers the third opening of a stream that it limits with 429, on ${adapter}`, async () => {
      const { app, connect, sse, url } = await start(ThrottledModule, adapter);
      const source = new EventSource(`${url}/throttled`);
      closeLater(() => source.close());
      const codes: (number | undefined)[] = [];
      source.addEventListener('error', ({ code }) => codes.push(code));
      for (let count = 0; count < 2; count++) {
        await once(source, 'sse:open');
        await Promise.all([once(source, 'message'), sse.send('news', 'event', { retry: 10 })]);
        (app.getHttpServer() as Server).closeAllConnections();
      }
      await until(() => source.readyState === EventSource.CLOSED);
      equal(codes.at(-1), 429);
      const { opened, body } = await connect('/throttled');
      equal(opened.status, 429);
      equal(JSON.parse(body).message, 'ThrottlerException: Too Many Requests');
    });

    it(`is skipped by a decorator above or below @SseChannel(), on ${adapter}`, async () => {
      const { connect } = await start(ThrottledModule, adapter);
      const limits = await Promise.all(
        ['throttled', 'skipped-above', 'skipped-below'].map(async (path) => {
          const { opened } = await connect(`/${path}`);
          return opened.headers['x-ratelimit-limit'];
        }),
      );
      deepEqual(limits, ['2', undefined, undefined]);
    });

    it(`limits how many streams of a client are open, on ${adapter}`, async () => {
      const { connect, sse } = await start(AppModule, adapter);
      const clients = [];
      for (let count = 0; count < 10; count++) clients.push(await connect(`/jobs/${count}/events`));
      equal((await connect('/jobs/10/events')).opened.status, 429);
      await clients[0]!.close();
      await until(() => sse.stats().connections === 9);
      equal((await connect('/jobs/10/events')).opened.status, 200);
    });
  }
});
