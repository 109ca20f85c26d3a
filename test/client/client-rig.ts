import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, RequestMethod, Sse, type Type } from '@nestjs/common';
import { SseClient, type SseClientOptions } from '../../lib/client/index.js';
import { requestedChannels, SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { closeApps, startApp, type Adapter, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

/** How many milliseconds clients are told to wait before they return, or half as much again. */
const RETRY_MS = 20;

@Controller()
class StreamController {
  @Sse('stream', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), { authorize: (_, channel) => !channel.startsWith('secret') })
  stream() {}

  @Sse('plain')
  @SseChannel('plain')
  plain() {}
}

export interface RigOptions {
  readonly adapter?: Adapter;
  readonly options?: SseModuleOptions;
  readonly controllers?: Type[];
  /** Stands before the application. */
  readonly before?: (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
}

/** An application, a proxy in front of it, and clients behind the proxy. */
export class ClientRig {
  app!: TestApp;
  proxy!: TcpProxy;
  private readonly clients: SseClient[] = [];
  private options: RigOptions = {};

  async start(options: RigOptions = {}): Promise<void> {
    this.options = options;
    await this.startApp();
    this.proxy = await startProxy(this.app.url);
  }

  /** Ends the application and starts another in its place. */
  async restart(meanwhile?: () => Promise<unknown>): Promise<void> {
    this.proxy.refuse();
    await this.app.close();
    await meanwhile?.();
    await this.startApp();
    this.proxy.redirect(this.app.url);
    this.proxy.accept();
  }

  client(options: SseClientOptions = {}, path = '/stream'): SseClient {
    const client = new SseClient(this.proxy.url(this.app.url + path), options);
    this.clients.push(client);
    return client;
  }

  /** Waits until so many streams are open. */
  async streams(count: number): Promise<void> {
    await until(() => this.app.sse.stats().connections === count, { what: `${count} streams` });
  }

  /** For `afterEach`. */
  async close(): Promise<void> {
    for (const client of this.clients.splice(0)) client.close();
    await this.proxy?.close();
    await closeApps();
  }

  private async startApp(): Promise<void> {
    const { adapter = 'express', options = {}, controllers = [], before } = this.options;
    this.app = await startApp({
      adapter,
      controllers: [StreamController, ...controllers],
      options: { retry: RETRY_MS, retain: { events: 100_000, bytes: 100_000_000 }, ...options },
      prepare: (nest) => {
        if (before) nest.use(before);
      },
    });
  }
}

/** What a subscription is told, in order: `open`, `reset:…`, `denied`, `end`, `error:…`, or an event's data. */
export class Told {
  readonly all: unknown[] = [];
  readonly handlers = {
    onEvent: ({ data }: { data: unknown }) => this.all.push(data),
    onReset: ({ data }: { data: { reason: string } }) => this.all.push(`reset:${data.reason}`),
    onOpen: () => this.all.push('open'),
    onDenied: () => this.all.push('denied'),
    onEnd: () => this.all.push('end'),
    onError: (error: Error) => this.all.push(`error:${error.message}`),
  };

  has(what: unknown, count = 1): Promise<unknown> {
    const times = () => this.all.filter((one) => one === what).length;
    return until(() => times() >= count, {
      what: `${String(what)} ${count} times, not ${JSON.stringify(this.all.slice(-20))}`,
    });
  }
}
