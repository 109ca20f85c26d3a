import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { map, type Observable } from 'rxjs';
import { SseChannel, SseEvents, type SseEvent, type SseModuleOptions } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

let arrived = 0;
const gate: (() => void)[] = [];

@Controller()
class RoomsController {
  @Sse('rooms/:room')
  @SseChannel('{room}')
  room() {}

  @Sse('handled/:room')
  @SseChannel('{room}')
  handled(@SseEvents() events$: Observable<SseEvent<string>>) {
    return events$.pipe(map(({ data }) => ({ data: `handled ${data}` })));
  }

  @Sse('own/:room')
  @SseChannel('{room}', { client: ({ headers }) => headers['x-own'] })
  own() {}

  @Sse('together/:room')
  @SseChannel('{room}')
  async together() {
    arrived++;
    await new Promise<void>((resolve) => gate.push(resolve));
  }

  @Sse('until')
  @SseChannel('until', { expires: ({ query }) => new Date(Number(query.at)) })
  until() {}
}

describe.each(ADAPTERS)('Limits on %s', (adapter) => {
  afterEach(closeApps);

  const start = (options: SseModuleOptions) =>
    startApp({ adapter, options, controllers: [RoomsController] });

  it.each(['/rooms/a', '/handled/a'])(
    'of connections send clients of %s away for a while',
    async (path) => {
      const { connect, sse } = await start({ limits: { connections: 2 } });
      const clients = [await connect(path), await connect(path)];
      await until(() => sse.stats().connections === 2);
      const away = await connect(path);
      expect(away.opened.status).toBe(200);
      expect((await away.closed).by).toBe('server');
      expect(away.retry).toBeGreaterThanOrEqual(15_000);
      expect(away.events).toEqual([]);
      expect(sse.stats()).toMatchObject({ connections: 2, readers: 2, refused: { capacity: 1 } });
      await clients[0]!.close();
      await until(() => sse.stats().connections === 1);
      const next = await connect(path);
      await until(() => next.lastEventId);
    },
  );

  it.each(['/rooms/a', '/handled/a'])('of one client answer %s with 429', async (path) => {
    const { connect, sse } = await start({
      limits: { connectionsPerClient: 2 },
      client: (request: { headers: Record<string, string> }) => request.headers['x-client']!,
    });
    const as = (name: string) => connect(path, { headers: { 'x-client': name } });
    const one = [await as('one'), await as('one')];
    await until(() => sse.stats().connections === 2);
    expect((await as('one')).opened.status).toBe(429);
    expect((await as('two')).opened.status).toBe(200);
    await one[0]!.close();
    await until(() => sse.stats().connections === 2);
    expect((await as('one')).opened.status).toBe(200);
    expect(sse.stats()).toMatchObject({ refused: { 'client-limit': 1 } });
  });

  it("of one client count by the endpoint's `client` function, else by address", async () => {
    const { connect, sse } = await start({
      limits: { connectionsPerClient: 1 },
      client: () => 'the same for all',
    });
    const as = (name: string) => connect('/own/a', { headers: { 'x-own': name } });
    expect((await as('one')).opened.status).toBe(200);
    expect((await as('two')).opened.status).toBe(200);
    expect((await as('one')).opened.status).toBe(429);
    expect((await connect('/own/a')).opened.status).toBe(200);
    expect((await connect('/own/a')).opened.status).toBe(429);
    expect(sse.stats()).toMatchObject({ connections: 3, refused: { 'client-limit': 2 } });
  });

  it('of connections hold for clients that come at the same time', async () => {
    const { connect, sse } = await start({ limits: { connections: 5 } });
    const clients = await Promise.all(Array.from({ length: 30 }, () => connect('/handled/a')));
    await until(() => clients.filter(({ isOpen }) => isOpen).length === 5);
    expect(sse.stats()).toMatchObject({ connections: 5, readers: 5, refused: { capacity: 25 } });
  });

  it('of a channel do not touch other channels, and hold for clients that come at the same time', async () => {
    const { connect, sse } = await start({ limits: { connectionsPerChannel: 2 } });
    arrived = 0;
    const connecting = Array.from({ length: 10 }, () => connect('/together/a'));
    await until(() => arrived === 10);
    gate.splice(0).forEach((open) => open());
    const clients = await Promise.all(connecting);
    await until(() => clients.filter(({ isOpen }) => isOpen).length === 2);
    expect(clients.every(({ opened }) => opened.status === 200)).toBe(true);
    const other = await connect('/rooms/b');
    await until(() => other.lastEventId);
    expect(sse.stats()).toMatchObject({
      connections: 3,
      readers: 3,
      refused: { 'channel-limit': 8, capacity: 0 },
    });
  });

  it('of channels make room by closing those that nobody reads', async () => {
    const { connect, sse } = await start({ limits: { channels: 2 } });
    const first = await connect('/rooms/a');
    await until(() => first.lastEventId);
    await sse.send('unread', 'event');
    const second = await connect('/rooms/b');
    await until(() => second.lastEventId);
    expect(sse.stats()).toMatchObject({ channels: 2, readers: 2 });
    const third = await connect('/rooms/c');
    expect(third.opened.status).toBe(200);
    expect((await third.closed).by).toBe('server');
    expect(third.retry).toBeGreaterThanOrEqual(15_000);
    expect(sse.stats()).toMatchObject({ refused: { 'channel-limit': 1, capacity: 0 } });
    await expect(sse.send('d', 'event')).rejects.toMatchObject({
      code: 'LIMIT_REACHED',
      message: expect.stringContaining('limits.channels'),
    });
    await sse.send('a', 'still here');
    expect((await first.next()).data).toBe('still here');
  });

  it('of a permission end the stream when it expires', async () => {
    const { connect, sse } = await start({});
    const soon = await connect(`/until?at=${Date.now() + 100}`);
    const later = await connect(`/until?at=${Date.now() + 100_000}`);
    expect((await soon.closed).by).toBe('server');
    expect(later.isOpen).toBe(true);
    expect(sse.stats().connections).toBe(1);
    const past = await connect(`/until?at=${Date.now() - 1}`);
    expect((await past.closed).by).toBe('server');
  });
});
