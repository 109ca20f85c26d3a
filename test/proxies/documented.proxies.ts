import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { EventSource } from 'eventsource';
import { createServer } from 'node:net';
import { SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { freePort } from '../support/free-port.js';
import { RawClient } from '../support/raw-client.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { COMPRESSIONS, PROXY_KINDS, TIMEOUT_SECONDS, type ProxyKind } from './proxy-kinds.js';
import { startProxyServer, type RunningProxy } from './proxy-server.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

const HEARTBEAT_MS = 400;

let app: TestApp;
let proxy: RunningProxy | undefined;
const clients: { close(): void }[] = [];

afterEach(async () => {
  clients.splice(0).forEach((client) => client.close());
  await proxy?.stop();
  proxy = undefined;
  await closeApps();
});

function startOn(port: number, more: SseModuleOptions = {}): Promise<TestApp> {
  return startApp({
    adapter: 'fastify',
    controllers: [NewsController],
    port,
    options: { heartbeat: HEARTBEAT_MS, retry: 50, drainTimeout: 50, ...more },
  });
}

/** Starts an application behind a proxy. Returns the application's port. */
async function start(kind: ProxyKind, more = ''): Promise<number> {
  const port = await freePort();
  app = await startOn(port);
  proxy = await startProxyServer(kind, port, { more });
  return port;
}

/** A client that comes through the proxy. */
class ProxiedClient {
  readonly messages: string[] = [];
  readonly resets: string[] = [];
  /** The answers' encodings; `null` for a plain one. */
  readonly encodings: (string | null)[] = [];
  requests = 0;
  readonly source: EventSource;

  constructor(acceptEncoding = 'gzip') {
    this.source = new EventSource(`${proxy!.url}/news`, {
      fetch: async (url, init) => {
        this.requests++;
        const headers = { ...init.headers, 'accept-encoding': acceptEncoding };
        const response = await fetch(url, { ...init, headers });
        this.encodings.push(response.headers.get('content-encoding'));
        return response;
      },
    });
    this.source.addEventListener('message', ({ data }) => this.messages.push(String(data)));
    this.source.addEventListener('sse:reset', ({ data }) => this.resets.push(String(data)));
    clients.push(this.source);
  }
}

/** Sends one event after the other, each once the one before it has arrived. */
async function sendOneByOne(client: ProxiedClient): Promise<void> {
  await until(() => app.sse.stats().connections === 1);
  for (let count = 1; count <= 20; count++) {
    await app.sse.send('news', `${count}`);
    await until(() => client.messages.length === count);
  }
}

describe.each(PROXY_KINDS)('$name as documented', (kind) => {
  it('passes each event on at once, and reports that the client has left', async () => {
    await start(kind);
    const client = new ProxiedClient();
    await sendOneByOne(client);
    client.source.close();
    await until(() => app.sse.stats().connections === 0);
  });

  it('passes each event of a compressed stream on at once, as it is', async () => {
    const port = await freePort();
    app = await startOn(port, { compression: 'shared' });
    proxy = await startProxyServer(kind, port);
    const client = new ProxiedClient();
    await sendOneByOne(client);
    for (let count = 21; count <= 60; count++) {
      void app.sse.send('news', `${count}`);
    }
    await until(() => client.messages.length === 60);
    expect(client.messages).toEqual(Array.from({ length: 60 }, (_, index) => `${index + 1}`));
    expect(client.encodings).toEqual(['gzip']);
  });

  it('lets a silent stream live for longer than its timeout', async () => {
    await start(kind);
    const client = await RawClient.get(proxy!.url, '/news', { Accept: 'text/event-stream' });
    clients.push({ close: () => client.destroy() });
    client.read();
    const beats = (2 * TIMEOUT_SECONDS * 1_000) / HEARTBEAT_MS;
    await until(() => (client.text.match(/^:$/gm) ?? []).length > beats, { deadline: 30_000 });
    expect(client.closed).toBe(false);
    expect(app.sse.stats().connections).toBe(1);
  });

  it('lets an EventSource return after a restart of the application', async () => {
    const port = await start(kind);
    const client = new ProxiedClient();
    await until(() => app.sse.stats().connections === 1);
    await app.sse.send('news', 'before');
    await until(() => client.messages.length === 1);
    await app.close();
    // It is answered, or made to wait, while there is no application.
    await until(() => client.requests > 1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    app = await startOn(port);
    await until(() => client.resets.length === 1);
    await app.sse.send('news', 'after');
    await until(() => client.messages.length === 2);
    expect(client.messages).toEqual(['before', 'after']);
  });

  it('lets an EventSource return that came while the application ended', async () => {
    const port = await freePort();
    let taken = 0;
    const ending = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        taken++;
        // It takes no other one, and does not answer.
        ending.close();
        socket.resetAndDestroy();
      });
    });
    await new Promise<void>((resolve) => ending.listen(port, '127.0.0.1', resolve));
    proxy = await startProxyServer(kind, port);
    const client = new ProxiedClient();
    await until(() => taken === 1);
    app = await startOn(port);
    await until(() => app.sse.stats().connections === 1);
    await app.sse.send('news', 'after');
    await until(() => client.messages.length === 1);
  });
});

describe.each(COMPRESSIONS)('$name with $what', ({ kind, lines, accept, encoding }) => {
  it('passes each event on at once', async () => {
    await start(kind, lines);
    const client = new ProxiedClient(accept);
    await sendOneByOne(client);
    expect(client.encodings).toEqual([encoding]);
  });
});
