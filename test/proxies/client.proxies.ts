import type { IncomingMessage, Server } from 'node:http';
import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseClient } from '../../lib/client/index.js';
import { requestedChannels, SseChannel } from '../../lib/index.js';
import { freePort } from '../support/free-port.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { KeptEvents } from './kept-events.js';
import { PROXY_KINDS } from './proxy-kinds.js';
import { startProxyServer, type RunningProxy } from './proxy-server.js';

const RESTARTS = 3;
/** To each channel, before each restart and while the application is away. */
const EVENTS = 5;

/** One channel is asked for by GET, 150 of them by POST. */
const CASES = [
  ['GET', ['news']],
  ['POST', Array.from({ length: 150 }, (_, i) => `a-channel-with-a-long-name-${i}`)],
] as const;

let app: TestApp;
let proxy: RunningProxy | undefined;
let client: SseClient | undefined;

afterEach(async () => {
  client?.close();
  await proxy?.stop();
  proxy = undefined;
  await closeApps();
});

/** Starts the application, whose events outlive it, and notes the methods of its requests. */
async function startOn(port: number, kept: KeptEvents, methods: string[]): Promise<void> {
  @Controller()
  class StreamController {
    @Sse('stream', { method: RequestMethod.ALL })
    @SseChannel(requestedChannels(), { source: kept, authorize: () => true })
    stream() {}
  }
  app = await startApp({
    adapter: 'fastify',
    controllers: [StreamController],
    port,
    options: { heartbeat: 400, retry: 50, drainTimeout: 50 },
  });
  const server = app.app.getHttpServer() as Server;
  server.on('request', ({ method }: IncomingMessage) => methods.push(method!));
}

describe.each(PROXY_KINDS)('SseClient through $name as documented', (kind) => {
  it.each(CASES)('loses and repeats nothing over restarts, by %s', async (method, names) => {
    const port = await freePort();
    const kept = new KeptEvents();
    const methods: string[] = [];
    await startOn(port, kept, methods);
    proxy = await startProxyServer(kind, port);
    client = new SseClient(`${proxy.url}/stream`);
    const received = new Map<string, string[]>();
    const resets: string[] = [];
    for (const name of names) {
      const data: string[] = [];
      received.set(name, data);
      client.subscribe(name, {
        onEvent: (event) => data.push(String(event.data)),
        onReset: (reset) => resets.push(reset.data.reason),
      });
    }
    const isOpen = () => client!.status === 'open' && app.sse.stats().connections === 1;
    await until(isOpen);

    const sent: string[] = [];
    const send = (): void => {
      for (let i = 0; i < EVENTS; i++) {
        sent.push(`${sent.length + 1}`);
        for (const name of names) kept.append(name, sent.at(-1)!);
      }
    };
    const areThere = () =>
      until(() => [...received.values()].every((data) => data.includes(sent.at(-1)!)));
    for (let restart = 0; restart < RESTARTS; restart++) {
      send();
      await areThere();
      let attempts = 0;
      const stop = client.onStatus((status) => (attempts += status === 'connecting' ? 1 : 0));
      await app.close();
      send();
      // It is answered, or made to wait, while there is no application.
      await until(() => attempts > 0);
      await new Promise((resolve) => setTimeout(resolve, 300));
      stop();
      methods.length = 0;
      await startOn(port, kept, methods);
      await until(isOpen);
      expect(methods).toEqual([method]);
      await areThere();
    }
    send();
    await areThere();
    const faulty = [...received].filter(([, data]) => data.join() !== sent.join());
    expect({ faulty, resets }).toEqual({ faulty: [], resets: [] });
    expect(sent).toHaveLength((2 * RESTARTS + 1) * EVENTS);
  });
});
