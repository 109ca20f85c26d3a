import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { filter, type Observable } from 'rxjs';
import { SseChannel, SseEvents, type SseEvent, type SseModuleOptions } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { RawStream } from './raw-stream.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('both')
  @SseChannel(() => ['news', 'sport'])
  both() {}

  @Sse('none')
  @SseChannel('news')
  none(@SseEvents() events$: Observable<SseEvent>) {
    return events$.pipe(filter(() => false));
  }
}

const PATHS = ['/news', '/both', '/none'] as const;

describe.each(ADAPTERS)('Streams on %s', (adapter) => {
  const open: RawStream[] = [];

  afterEach(async () => {
    await Promise.all(open.splice(0).map((stream) => stream.close()));
    await closeApps();
  });

  const start = async (options: SseModuleOptions = {}) => {
    const app = await startApp({ adapter, options, controllers: [NewsController] });
    const raw = async (path: string, headers: Record<string, string> = {}) => {
      const stream = await RawStream.open(app.url + path, { headers });
      open.push(stream);
      return stream;
    };
    return { ...app, raw };
  };

  it('begin with an event that gives the position, the channels and the reconnection time', async () => {
    const { raw, sse } = await start({ retry: 1_234 });
    const id = await sse.send('news', 'before');
    const stream = await raw('/news');
    const text = await stream.textOnce((received) => received.endsWith('\n\n'));
    expect(text.replace(/^retry: .*$/m, 'retry:')).toBe(
      `retry:\nevent: sse:open\ndata: {"channels":["news"],"labels":{}}\nid: ${id}\n\n`,
    );
    expect(stream.opening!.id).toBe(id);
  });

  it('give the channel of each label in their ids', async () => {
    const { connect, sse } = await start();
    const client = await connect('/both');
    const { channels, labels } = JSON.parse(client.opening!.data) as {
      channels: string[];
      labels: Record<string, string>;
    };
    expect(channels).toEqual(['news', 'sport']);
    expect(Object.values(labels)).toEqual(channels);
    await sse.send('news', 'event');
    const { id } = await client.next();
    expect(id.split(',').map((part) => labels[part.split(':')[0]!])).toEqual(channels);
  });

  it("begin without an event, with opening: 'frame'", async () => {
    const { raw, sse } = await start({ opening: 'frame' });
    const id = await sse.send('news', 'before');
    const stream = await raw('/news');
    expect(await stream.textOnce((text) => text.endsWith('\n\n'))).toMatch(
      new RegExp(`^retry: \\d+\nevent: sse:open\nid: ${id}\n\n$`),
    );
    expect([stream.opening, stream.events]).toEqual([undefined, []]);
  });

  it('spread the reconnection time by half to either side', async () => {
    const { connect } = await start({ retry: 1_000 });
    const retries: number[] = [];
    for (let i = 0; i < 30; i++) {
      const client = await connect('/news');
      retries.push(client.retry!);
      await client.close();
    }
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...retries)).toBeLessThanOrEqual(1_500);
    // The chance that 30 random times are that close together is below one in a million.
    expect(Math.max(...retries) - Math.min(...retries)).toBeGreaterThan(400);
  });

  it('carry heartbeats while nothing else is written', async () => {
    const { raw, sse } = await start({ heartbeat: 30 });
    const stream = await raw('/news');
    await stream.textOnce((text) => /(:\n){3}/.test(text));
    const id = await sse.send('news', 'event');
    await stream.event(0);
    expect(stream.afterOpening).toMatch(/^(:\n){3,}data: event\n/);
    expect(stream.afterOpening).toContain(`:\ndata: event\nid: ${id}\n\n`);
    expect(stream.events).toHaveLength(1);
  });

  it('carry no heartbeat with heartbeat: 0', async () => {
    const { raw, sse } = await start({ heartbeat: 0 });
    const stream = await raw('/news');
    await stream.textOnce((text) => text.endsWith('\n\n'));
    await sse.send('news', 'event');
    await stream.event(0);
    expect(stream.text).not.toContain('\n:\n');
  });

  it('carry type, id and reconnection time of each event', async () => {
    const { raw, sse } = await start();
    const stream = await raw('/news');
    const head = await stream.textOnce((text) => text.endsWith('\n\n'));
    const id = await sse.send('news', 'one', { type: 'named', id: 'my id', retry: 50 });
    expect(id).toBe('my id');
    const next = await sse.send('news', { two: 2 });
    await stream.event(1);
    expect(stream.text.slice(head.length)).toBe(
      `event: named\nretry: 50\ndata: one\nid: my id\n\ndata: {"two":2}\nid: ${next}\n\n`,
    );
  });

  it('resume by an id of the publisher', async () => {
    const { connect, sse } = await start({ retain: { events: 2 } });
    await sse.send('news', 'one', { id: 'a' });
    await sse.send('news', 'two', { id: 'b' });
    const client = await connect('/news', { lastEventId: 'a' });
    expect(await client.next()).toMatchObject({ data: 'two', id: 'b' });
    await sse.send('news', 'three', { id: 'c' });
    const again = await connect('/news', { lastEventId: 'a' });
    expect((await again.take(2)).map(({ data }) => data)).toEqual(['two', 'three']);
    await sse.send('news', 'four', { id: 'd' });
    const late = await connect('/news', { lastEventId: 'a' });
    expect((await late.next()).type).toBe('sse:reset');
  });

  it('resume by header or query, and the header wins', async () => {
    const { connect, sse } = await start();
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) {
      ids.push(await sse.send('news', `${i}`));
    }
    const byQuery = await connect(`/news?lastEventId=${ids[0]}`);
    expect((await byQuery.take(3)).map(({ data }) => data)).toEqual(['1', '2', '3']);
    const both = await connect(`/news?lastEventId=${ids[0]}`, { lastEventId: ids[2]! });
    expect((await both.next()).data).toBe('3');
    const empty = await connect(`/news?lastEventId=${ids[2]}`, {
      headers: { 'last-event-id': '' },
    });
    expect((await empty.next()).data).toBe('3');
  });

  it('begin at the oldest retained event for `earliest`', async () => {
    const { connect, sse } = await start({ retain: { events: 3 } });
    for (let i = 0; i < 5; i++) {
      await sse.send('news', `${i}`);
      await sse.send('sport', `s${i}`);
    }
    const client = await connect('/news', { lastEventId: 'earliest' });
    expect((await client.take(3)).map(({ data }) => data)).toEqual(['2', '3', '4']);
    const both = await connect('/both?lastEventId=earliest');
    expect((await both.take(6)).map(({ data }) => data)).toEqual(['2', 's2', '3', 's3', '4', 's4']);
    const again = await both.reconnect();
    await sse.send('news', 'live');
    expect((await again.next()).data).toBe('live');
  });

  it.each(PATHS)(
    'give clients of %s a reset for a position that is no longer retained',
    async (path) => {
      const { connect, sse } = await start({ retain: { events: 2 } });
      const client = await connect(path);
      const id = await until(() => client.lastEventId);
      await client.close();
      for (let i = 0; i < 5; i++) {
        await sse.send('news', `${i}`);
      }
      const again = await connect(path, { lastEventId: id });
      const reset = await again.next();
      expect(reset.type).toBe('sse:reset');
      expect(JSON.parse(reset.data)).toEqual({ channel: 'news', reason: 'trimmed' });
      await again.close();
      const third = await connect(path, { lastEventId: reset.id });
      await until(() => third.lastEventId === reset.id);
      expect(third.events).toEqual([]);
    },
  );

  it('resume exactly from the opening frame and from every event', async () => {
    const { connect, sse } = await start();
    const first = await connect('/both');
    const ids = [await until(() => first.lastEventId)];
    const sent: string[] = [];
    for (let i = 0; i < 20; i++) {
      const channel = i % 3 === 0 ? 'sport' : 'news';
      await sse.send(channel, `${i}`);
      sent.push(`${i}`);
    }
    ids.push(...(await first.take(20)).map(({ id }) => id));
    for (const [index, lastEventId] of ids.entries()) {
      const client = await connect('/both', { lastEventId });
      const left = sent.slice(index);
      expect((await client.take(left.length)).map(({ data }) => data)).toEqual(left);
      await client.close();
    }
  });

  it.each(PATHS)('end with the run at %s, and 204 tells the client not to return', async (path) => {
    const { connect, sse } = await start();
    const client = await connect(path);
    await until(() => client.lastEventId);
    await sse.complete('news');
    await sse.complete('sport');
    await until(() => !client.isOpen);
    expect(client.events.filter(({ data }) => data === '[DONE]')).toHaveLength(
      path === '/both' ? 2 : 1,
    );
    const again = await client.reconnect();
    expect(again.opened.status).toBe(204);
    await again.closed;
    expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
  });

  it('deliver the events between a position and the end, and then the end', async () => {
    const { connect, sse } = await start();
    const id = await sse.send('news', 'known');
    await sse.send('news', 'missed');
    await sse.complete('news');
    await sse.send('news', 'next run');
    const client = await connect('/news', { lastEventId: id });
    await client.closed;
    expect(client.events.map(({ data }) => data)).toEqual(['missed', '[DONE]']);
    expect((await client.reconnect()).opened.status).toBe(204);
    const fresh = await connect('/news');
    await until(() => fresh.lastEventId);
    await sse.send('news', 'live');
    expect((await fresh.next()).data).toBe('live');
  });

  it('use the configured done signal', async () => {
    const { connect, sse } = await start({ doneSignal: 'BYE' });
    const client = await connect('/news');
    await until(() => client.lastEventId);
    await sse.complete('news');
    expect((await client.next()).data).toBe('BYE');
    await client.closed;
  });

  it('get a reset after their channel was closed for want of readers', async () => {
    const { connect, sse } = await start({ linger: 30 });
    const client = await connect('/news');
    await until(() => client.lastEventId);
    await sse.send('news', 'event');
    await client.next();
    await client.close();
    await until(() => sse.stats().channels === 0);
    const again = await client.reconnect();
    expect(JSON.parse((await again.next()).data)).toEqual({
      channel: 'news',
      reason: 'unknown-position',
    });
  });

  it('deliver resets and the end beside a handler that filters', async () => {
    const { connect, sse } = await start();
    const client = await connect('/none', { lastEventId: 'unknown' });
    expect((await client.next()).type).toBe('sse:reset');
    await sse.send('news', 'filtered');
    await sse.complete('news');
    expect((await client.next()).data).toBe('[DONE]');
    await client.closed;
    expect(client.events).toHaveLength(2);
  });

  it('end at their greatest age, and resume without loss', async () => {
    const { connect, sse } = await start({ maxAge: 100, retry: 20 });
    const received: string[] = [];
    let client = await connect('/news');
    await until(() => client.lastEventId);
    let isSending = true;
    const sending = (async () => {
      let i = 0;
      for (; isSending; i++) {
        await sse.send('news', `${i}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return i;
    })();
    for (let round = 0; round < 4; round++) {
      expect((await client.closed).by).toBe('server');
      received.push(...client.events.map(({ data }) => data));
      if (round === 2) {
        isSending = false;
      }
      client = await client.reconnect();
    }
    const sent = await sending;
    await client.closed;
    received.push(...client.events.map(({ data }) => data));
    expect(received).toEqual(Array.from({ length: sent }, (_, i) => `${i}`));
  });
});
