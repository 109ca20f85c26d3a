import { Controller, Get, ServiceUnavailableException, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { EventSource } from 'eventsource';
import { createServer, type Server } from 'node:net';
import { SseChannel, SseService } from '../../lib/index.js';
import { freePort } from '../support/free-port.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { BALANCERS } from './proxy-kinds.js';
import { startProxyServer, type RunningProxy } from './proxy-server.js';

@Controller()
class AppController {
  constructor(private readonly sse: SseService) {}

  @Sse('news')
  @SseChannel('news')
  news() {}

  @Get('health/ready')
  ready(): string {
    if (!this.sse.health().ready) throw new ServiceUnavailableException();
    return 'ready';
  }
}

const CLIENTS = 12;

/** An instance that is ready, takes each request, and ends before it answers. */
function startEnding(port: number, host: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (request) => {
      if (String(request).startsWith('GET /health/ready')) {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      } else {
        taken++;
        socket.resetAndDestroy();
      }
    });
  });
  return new Promise((resolve) => server.listen(port, host, () => resolve(server)));
}

let taken = 0;
let ending: Server | undefined;

let proxy: RunningProxy | undefined;
const sources: EventSource[] = [];

afterEach(async () => {
  sources.splice(0).forEach((source) => source.close());
  await proxy?.stop();
  proxy = undefined;
  ending?.close();
  ending = undefined;
  await closeApps();
});

const startOn = (port: number, host: string): Promise<TestApp> =>
  startApp({
    adapter: 'fastify',
    controllers: [AppController],
    port,
    host,
    options: { heartbeat: 400, retry: 100, drainTimeout: 200 },
  });

const startBalancer = (kind: (typeof BALANCERS)[number], port: number): Promise<RunningProxy> =>
  startProxyServer(kind, port, {
    document: 'docs/operating.md',
    // Both instances on this machine, on the same port; and no more files than it allows.
    change: (whole) =>
      whole.replaceAll('10.0.0.', '127.0.0.').replace('maxconn 100000', 'maxconn 500'),
  });

/** Opens a client, which counts each text that it receives. */
function open(received: Map<string, number>): EventSource {
  const source = new EventSource(`${proxy!.url}/news`);
  source.addEventListener('message', ({ data }) => {
    received.set(String(data), (received.get(String(data)) ?? 0) + 1);
  });
  sources.push(source);
  return source;
}

const connections = (...apps: TestApp[]): number[] =>
  apps.map(({ sse }) => sse.stats().connections);

describe.each(BALANCERS)('$name of docs/operating.md', (kind) => {
  it('spreads clients, and brings all of them to the other instance when one ends', async () => {
    const port = await freePort();
    const first = await startOn(port, '127.0.0.1');
    let second = await startOn(port, '127.0.0.2');
    proxy = await startBalancer(kind, port);
    const received = new Map<string, number>();
    for (let n = 0; n < CLIENTS; n++) {
      open(received);
      await until(() => connections(first, second).reduce((sum, each) => sum + each) === n + 1);
    }
    expect(connections(first, second)).toEqual([CLIENTS / 2, CLIENTS / 2]);

    await second.close();
    await until(() => connections(first)[0] === CLIENTS);
    await first.sse.send('news', 'after');
    await until(() => received.get('after') === CLIENTS);
    expect(sources.map(({ readyState }) => readyState)).not.toContain(EventSource.CLOSED);

    // It has no streams, so the next clients are its own, once the proxy knows of it again.
    second = await startOn(port, '127.0.0.2');
    await until(
      async () => {
        open(received);
        const before = connections(first, second);
        await until(() => connections(first, second).some((each, n) => each > before[n]!));
        return connections(second)[0]! > 0;
      },
      { deadline: 30_000, every: 500 },
    );
    await second.sse.send('news', 'again');
    await until(() => (received.get('again') ?? 0) >= 1);
  });

  it('brings all clients back when one instance restarts directly after the other', async () => {
    const port = await freePort();
    const hosts = ['127.0.0.1', '127.0.0.2'];
    const apps = await Promise.all(hosts.map((host) => startOn(port, host)));
    proxy = await startBalancer(kind, port);
    const received = new Map<string, number>();
    for (let n = 0; n < CLIENTS; n++) {
      open(received);
    }
    const untilAll = () =>
      until(() => connections(...apps).reduce((sum, each) => sum + each) === CLIENTS);
    await untilAll();
    for (const [nth, host] of hosts.entries()) {
      await apps[nth]!.close();
      await until(() => connections(apps[1 - nth]!)[0] === CLIENTS);
      apps[nth] = await startOn(port, host);
    }
    await untilAll();
    await Promise.all(apps.map(({ sse }) => sse.send('news', 'after')));
    await until(() => received.get('after') === CLIENTS);
  });

  it('brings a client to the other instance when one takes its request, and ends', async () => {
    taken = 0;
    const port = await freePort();
    const first = await startOn(port, '127.0.0.1');
    ending = await startEnding(port, '127.0.0.2');
    proxy = await startBalancer(kind, port);
    const received = new Map<string, number>();
    for (let n = 0; n < CLIENTS; n++) {
      const source = open(received);
      // A status that is no 200 would be final.
      await until(() => source.readyState !== EventSource.CONNECTING);
      expect(source.readyState).toBe(EventSource.OPEN);
    }
    expect(taken).toBeGreaterThan(0);
    expect(connections(first)).toEqual([CLIENTS]);

    // What changes something is not sent twice.
    const before = taken;
    const statuses = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const answer = await fetch(`${proxy!.url}/news`, { method: 'POST', body: '{}' });
        await answer.arrayBuffer();
        return answer.status;
      }),
    );
    expect(statuses).toEqual(Array(4).fill(502));
    expect(taken - before).toBe(4);
  });
});
