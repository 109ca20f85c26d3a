import { Controller, Param, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { filter, map, type Observable } from 'rxjs';
import {
  channelName,
  LastEventId,
  SseChannel,
  SseEvents,
  SseService,
  type SseEvent,
} from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

interface Notice {
  level: number;
}

@Controller()
class NewsController {
  constructor(private readonly sse: SseService) {}

  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('jobs/:id/events')
  @SseChannel('job:{id}')
  job() {}

  @Sse('mine')
  @SseChannel(() => Promise.resolve(['user:1', 'news']))
  mine() {}

  @Sse('important')
  @SseChannel('notices')
  important(@SseEvents() events$: Observable<SseEvent<Notice>>) {
    return events$.pipe(filter((event) => event.data.level > 1));
  }

  @Sse('levels/:least')
  @SseChannel('notices')
  levels(
    @SseEvents() events$: Observable<SseEvent<Notice>>,
    @Param('least') least: string,
    @LastEventId() lastEventId: string | undefined,
  ) {
    return events$.pipe(
      map((event) => ({ data: { least, lastEventId: lastEventId ?? null, ...event.data } })),
    );
  }

  @Sse('own')
  @SseChannel()
  own() {
    return this.sse.stream('news');
  }
}

describe.each(ADAPTERS)('@SseChannel() on %s', (adapter) => {
  afterEach(closeApps);

  const start = () => startApp({ adapter, controllers: [NewsController] });

  it('streams what send() sends to the channel', async () => {
    const { sse, connect } = await start();
    const client = await connect('/news');
    expect(client.opened.status).toBe(200);
    expect(client.opened.headers['content-type']).toBe('text/event-stream');
    expect(client.opened.headers['cache-control']).toContain('no-transform');
    await until(() => client.lastEventId);
    const id = await sse.send('news', { title: 'first' }, { type: 'article' });
    await sse.send('news', 'plain text');
    const [first, second] = await client.take(2);
    expect(first).toMatchObject({ type: 'article', data: '{"title":"first"}', id });
    expect(second).toMatchObject({ type: 'message', data: 'plain text' });
    expect(client.retry).toBeGreaterThanOrEqual(1_500);
    expect(client.retry).toBeLessThanOrEqual(4_500);
  });

  it('resumes behind the last event id, once and in order', async () => {
    const { sse, connect } = await start();
    const client = await connect('/news');
    await until(() => client.lastEventId);
    await client.close();
    for (let i = 0; i < 100; i++) {
      await sse.send('news', String(i));
    }
    const again = await connect('/news', { lastEventId: client.lastEventId });
    for (let i = 100; i < 200; i++) {
      await sse.send('news', String(i));
    }
    const events = await again.take(200);
    expect(events.map(({ data }) => data)).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
    const byQuery = await connect(`/news?lastEventId=${events[149]!.id}`);
    expect((await byQuery.take(50)).map(({ data }) => data)).toEqual(
      Array.from({ length: 50 }, (_, i) => `${i + 150}`),
    );
  });

  it('fills its template with the route parameter, encoded', async () => {
    const { sse, connect } = await start();
    const client = await connect(`/jobs/${encodeURIComponent('1:secret/..')}/events`);
    await until(() => client.lastEventId);
    await sse.send('job:1:secret/..', 'not for this client');
    await sse.send(channelName('job:{id}', { id: '1:secret/..' }), 'for this client');
    expect((await client.next()).data).toBe('for this client');
    expect(client.events).toHaveLength(1);
  });

  it('merges several channels on one connection and resumes each exactly', async () => {
    const { sse, connect } = await start();
    const client = await connect('/mine');
    await until(() => client.lastEventId);
    await sse.send('news', 'n1');
    await sse.send('user:1', 'u1');
    await sse.send('news', 'n2');
    const events = await client.take(3);
    expect(events.map(({ data }) => data)).toEqual(['n1', 'u1', 'n2']);
    await client.close();
    await sse.send('user:1', 'u2');
    const again = await connect('/mine', { lastEventId: events[0]!.id });
    await sse.send('news', 'n3');
    expect((await again.take(4)).map(({ data }) => data)).toEqual(['u1', 'n2', 'u2', 'n3']);
  });

  it('lets the handler filter, and resumes through the filter', async () => {
    const { sse, connect } = await start();
    const client = await connect('/important');
    await until(() => client.lastEventId);
    await sse.send('notices', { level: 1 });
    await sse.send('notices', { level: 2 });
    const event = await client.next();
    expect(event.data).toBe('{"level":2}');
    await client.close();
    await sse.send('notices', { level: 3 });
    const again = await connect('/important', { lastEventId: event.id });
    expect((await again.next()).data).toBe('{"level":3}');
  });

  it('gives mapped events the ids of their originals', async () => {
    const { sse, connect } = await start();
    const client = await connect('/levels/5', { lastEventId: 'earliest' });
    const id = await sse.send('notices', { level: 7 });
    expect(await client.next()).toMatchObject({
      data: '{"least":"5","lastEventId":"earliest","level":7}',
      id,
    });
  });

  it('resumes a handler that returns a stream of the service', async () => {
    const { sse, connect } = await start();
    const client = await connect('/own');
    await until(() => client.lastEventId);
    await client.close();
    await sse.send('news', 'missed');
    const again = await connect('/own', { lastEventId: client.lastEventId });
    expect((await again.next()).data).toBe('missed');
  });

  it('delivers the end of a run, and answers a returning client with 204', async () => {
    const { sse, connect } = await start();
    const client = await connect('/news');
    await until(() => client.lastEventId);
    await sse.send('news', 'last');
    await sse.complete('news');
    expect((await client.take(2)).map(({ data }) => data)).toEqual(['last', '[DONE]']);
    expect((await client.closed).by).toBe('server');
    const again = await connect('/news', { lastEventId: client.lastEventId });
    expect(again.opened.status).toBe(204);
    const fresh = await connect('/news');
    expect(fresh.opened.status).toBe(200);
    await until(() => fresh.lastEventId);
    await sse.send('news', 'next run');
    expect((await fresh.next()).data).toBe('next run');
  });

  it('sends a reset for an unknown position', async () => {
    const { sse, connect } = await start();
    const client = await connect('/news', { lastEventId: 'from-elsewhere-7' });
    const reset = await client.next();
    expect(reset.type).toBe('sse:reset');
    expect(JSON.parse(reset.data)).toEqual({ channel: 'news', reason: 'unknown-position' });
    const id = await sse.send('news', 'after');
    expect(await client.next()).toMatchObject({ data: 'after', id });
  });

  it('answers HEAD without a stream', async () => {
    const { connect, sse } = await start();
    const client = await connect('/news', { method: 'HEAD' });
    expect(client.opened.status).toBe(200);
    await client.closed;
    expect(sse.stats().connections).toBe(0);
  });

  it('lets the application close with open streams', async () => {
    const { app, connect, sse } = await start();
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect('/news')));
    await until(() => sse.stats().connections === 20);
    await app.close();
    const ends = await Promise.all(clients.map(({ closed }) => closed));
    expect(ends.map(({ by }) => by)).toEqual(Array.from({ length: 20 }, () => 'server'));
  });
});
