import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { interval } from 'rxjs';
import { SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class LifetimeController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('ticks')
  @SseChannel()
  ticks() {
    return interval(5);
  }

  @Sse('token')
  @SseChannel('events', { expires: () => Date.now() + 150 })
  token() {}

  @Sse('many/:id')
  @SseChannel((request: { params: { id: string } }) =>
    Array.from({ length: Number(request.params.id) }, (_, i) => `channel-${i}`),
  )
  many() {}
}

describe.each(ADAPTERS)('A connection on %s', (adapter) => {
  afterEach(closeApps);

  const start = (options: SseModuleOptions) =>
    startApp({ adapter, controllers: [LifetimeController], options });

  it('gets a comment while it is silent, and none while events come', async () => {
    const app = await start({ heartbeat: 40 });
    const silent = await app.connect('/events');
    const busy = await app.connect('/ticks');
    await until(() => silent.comments.length >= 4);
    expect(silent.events).toHaveLength(0);
    expect(busy.comments).toHaveLength(0);
    expect(busy.events.length).toBeGreaterThan(4);
  });

  it('gets no comment with heartbeat: 0', async () => {
    const app = await start({ heartbeat: 0 });
    const other = await startApp({
      adapter,
      controllers: [LifetimeController],
      options: { heartbeat: 20 },
    });
    const silent = await app.connect('/events');
    const reference = await other.connect('/events');
    await until(() => reference.comments.length >= 5);
    expect(silent.comments).toHaveLength(0);
  });

  it('ends at maxAge, with a time to return, and resumes', async () => {
    const app = await start({ maxAge: 200, retry: 500 });
    const client = await app.connect('/events');
    const started = performance.now();
    await app.sse.send('events', 'one');
    expect((await client.closed).by).toBe('server');
    expect(performance.now() - started).toBeGreaterThan(100);
    expect(client.retry).toBeLessThanOrEqual(500);
    // The page need not know.
    expect(client.events.map(({ data }) => data)).toEqual(['one']);
    await app.sse.send('events', 'two');
    const again = await app.connect('/events', { lastEventId: client.lastEventId });
    expect((await again.next()).data).toBe('two');
  });

  it('ends when its permission does', async () => {
    const app = await start({});
    const client = await app.connect('/token');
    expect((await client.closed).by).toBe('server');
    expect(client.events).toMatchObject([{ type: 'sse:end', data: '{"reason":"expired"}' }]);
  });

  it('is sent back at a moment of its own when the application shuts down', async () => {
    const app = await start({ drainTimeout: 60_000 });
    const clients = await Promise.all(Array.from({ length: 50 }, () => app.connect('/events')));
    await until(() => app.sse.stats().connections === 50);
    await app.app.close();
    await Promise.all(clients.map(({ closed }) => closed));
    const retries = clients.map(({ retry }) => retry!);
    expect(new Set(retries).size).toBeGreaterThan(40);
    expect(Math.max(...retries)).toBeLessThanOrEqual(60_000);
    expect(Math.max(...retries) - Math.min(...retries)).toBeGreaterThan(20_000);
  });

  it('does not delay the shutdown for longer than drainTimeout when its client stalls', async () => {
    const app = await start({ drainTimeout: 200 });
    const client = (await RawClient.get(app.url, '/events')).stall();
    await until(() => app.sse.stats().connections === 1);
    for (let i = 0; i < 5_000; i++) {
      void app.sse.send('events', 'x'.repeat(2_000));
    }
    await new Promise((resolve) => setImmediate(resolve));
    await app.app.close();
    client.destroy();
    expect(app.sse.stats().connections).toBe(0);
  });
});

describe.each(ADAPTERS)("The module's limits on %s", (adapter) => {
  afterEach(closeApps);

  const start = (options: SseModuleOptions) =>
    startApp({ adapter, controllers: [LifetimeController], options });

  it('send clients beyond limits.connections away with a long retry, and let them in later', async () => {
    const app = await start({ limits: { connections: 3 } });
    const clients = await Promise.all([1, 2, 3].map(() => app.connect('/events')));
    await until(() => app.sse.stats().connections === 3);
    const refused = await app.connect('/events');
    expect(refused.opened.status).toBe(200);
    await refused.closed;
    expect(refused.retry).toBeGreaterThanOrEqual(15_000);
    expect(refused.frames.every(({ data }) => data === undefined)).toBe(true);
    expect(app.sse.stats().refused.capacity).toBe(1);
    await clients[0]!.close();
    await until(() => app.sse.stats().connections === 2);
    const taken = await app.connect('/events');
    await app.sse.send('events', 'hello');
    expect((await taken.next()).data).toBe('hello');
  });

  it('hold for limits.connections when clients come at the same moment', async () => {
    const app = await start({ limits: { connections: 5 } });
    const clients = await Promise.all(Array.from({ length: 40 }, () => app.connect('/many/3')));
    await until(() => clients.filter(({ isOpen }) => isOpen).length === 5);
    expect(app.sse.stats().connections).toBe(5);
    expect(app.sse.stats().refused.capacity).toBe(35);
  });

  it('answer a client beyond limits.connectionsPerClient with 429', async () => {
    const app = await start({
      limits: { connectionsPerClient: 1 },
      client: ({ headers }: { headers: Record<string, string> }) => headers['x-user'],
    });
    await app.connect('/events', { headers: { 'x-user': 'ann' } });
    const second = await app.connect('/events', { headers: { 'x-user': 'ann' } });
    expect(second.opened.status).toBe(429);
    const other = await app.connect('/events', { headers: { 'x-user': 'bob' } });
    expect(other.opened.status).toBe(200);
  });

  it('hold for the connections of one channel', async () => {
    const app = await start({ limits: { connectionsPerChannel: 2 } });
    await app.connect('/events');
    await app.connect('/events');
    await until(() => app.sse.stats().connections === 2);
    const third = await app.connect('/events');
    await third.closed;
    expect(third.opened.status).toBe(200);
    expect(third.retry).toBeGreaterThanOrEqual(15_000);
    const elsewhere = await app.connect('/ticks');
    expect((await elsewhere.next()).data).toBe('0');
  });

  it('refuse more channels on one connection than limits.channelsPerConnection', async () => {
    const app = await start({ limits: { channelsPerConnection: 3 } });
    expect((await app.connect('/many/3')).opened.status).toBe(200);
    const refused = await app.connect('/many/4');
    expect(refused.opened.status).toBe(400);
    await refused.closed;
    expect(refused.body).toContain('at most 3');
  });

  it('close the longest unused channel for a new one, and never a channel with readers', async () => {
    const app = await start({ limits: { channels: 2 } });
    await app.connect('/events');
    await app.sse.send('a', '1');
    await app.sse.send('b', '1');
    expect(app.sse.stats().channels).toBe(2);
    const refused = await app.connect('/many/2');
    await refused.closed;
    expect(refused.retry).toBeGreaterThanOrEqual(15_000);
    expect(app.sse.stats().readers).toBe(1);
  });

  it.each([0, -1, NaN, 1.5, '5'])('must not be %p', async (value) => {
    await expect(start({ limits: { connections: value as number } })).rejects.toThrow(
      /`limits.connections` is .*; it must be a whole number of at least 1, or Infinity/,
    );
  });
});
