import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Server } from 'node:http';
import { SseChannel } from '../../lib/index.js';
import { expectRoomFor } from '../support/newcomer.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

let release: () => void = () => undefined;
let resolving = 0;

@Controller()
class PipelineController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('slow')
  @SseChannel(async () => {
    resolving++;
    await new Promise<void>((resolve) => (release = resolve));
    return 'events';
  })
  slow() {}
}

const raws: RawClient[] = [];

async function open(app: TestApp): Promise<RawClient> {
  const client = (await RawClient.open(app.url)).read();
  raws.push(client);
  return client;
}

describe.each(ADAPTERS)('Pipelined requests on %s', (adapter) => {
  afterEach(async () => {
    raws.splice(0).forEach((client) => client.destroy());
    await closeApps();
  });

  const start = (options = {}) =>
    startApp({ adapter, controllers: [PipelineController], options: { heartbeat: 0, ...options } });
  const afterwards = (app: TestApp) => expectRoomFor(app, { path: '/events', channel: 'events' });

  it('leave nothing behind when their socket closes', async () => {
    const app = await start();
    for (const end of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const client = await open(app);
      client.sendTogether(Array.from({ length: 10 }, () => '/events'));
      await until(() => app.sse.stats().connections === 1);
      client.socket[end]();
      await until(() => client.closed);
      await afterwards(app);
    }
  });

  it('count as one connection, and when there are too many, their socket closes', async () => {
    const app = await start({ limits: { connections: 5 } });
    const clients = [];
    for (let i = 0; i < 4; i++) {
      const client = await open(app);
      clients.push(client);
      client.sendTogether(Array.from({ length: 10 }, () => '/events'));
    }
    await until(() => app.sse.stats().connections === 4);
    const newcomer = await app.connect('/events');
    await until(() => app.sse.stats().connections === 5);
    await app.sse.send('events', 'hello');
    expect((await newcomer.next()).data).toBe('hello');
    expect(app.sse.stats().refused.capacity).toBe(0);
    await newcomer.close();
    clients.forEach((client) => client.destroy());
    const flooding = await open(app);
    flooding.sendTogether(Array.from({ length: 1_000 }, () => '/events'));
    await until(() => flooding.closed);
    await afterwards(app);
  });

  it('get their answers in order, each after the end of the one before', async () => {
    const app = await start();
    const client = await open(app);
    client.sendTogether(['/events', '/events', '/events']);
    for (let run = 1; run <= 3; run++) {
      await until(() => client.text.match(/HTTP\/1\.1 200/g)?.length === run);
      expect(app.sse.stats().connections).toBe(1);
      await app.sse.send('events', `run ${run}`);
      await app.sse.complete('events');
    }
    await until(() => client.data.length === 6);
    expect(client.data).toEqual(['run 1', '[DONE]', 'run 2', '[DONE]', 'run 3', '[DONE]']);
    client.destroy();
    await afterwards(app);
  });

  it('wait for the resolver of the request before, and end with their socket', async () => {
    const app = await start();
    resolving = 0;
    const client = await open(app);
    client.sendTogether(['/slow', '/events', '/slow']);
    await until(() => resolving === 1);
    expect(app.sse.stats()).toMatchObject({ opening: 1, connections: 0, readers: 0 });
    client.destroy();
    await until(() => app.sse.stats().opening === 0);
    release();
    await afterwards(app);
    expect(resolving).toBe(1);
  });

  it('are sent away one after the other when the application closes', async () => {
    const app = await start({ drainTimeout: 600_000 });
    const client = await open(app);
    client.sendTogether(['/events', '/events', '/events']);
    await until(() => app.sse.stats().connections === 1);
    await app.app.close();
    await until(() => client.closed);
    expect(app.sse.stats()).toMatchObject({ connections: 0, opening: 0, readers: 0 });
  });

  it('end with a socket that a request behind them has upgraded', async () => {
    const app = await start();
    const server = app.app.getHttpServer() as Server;
    let upgraded = 0;
    server.on('upgrade', (_request, socket) => {
      upgraded++;
      // As whoever takes a socket over does: nothing else would learn of its end, and end it.
      socket.on('error', () => undefined);
      socket.on('end', () => socket.end()).resume();
    });
    const client = await open(app);
    client.sendTogether(['/events', '/events']);
    client.send('/chat', { Connection: 'Upgrade', Upgrade: 'websocket' });
    await until(() => upgraded === 1);
    client.destroy();
    await afterwards(app);
  });
});
