import type { Type } from '@nestjs/common';
import type { SseModuleOptions } from '../../lib/index.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { closeApps, type Adapter } from '../support/start-app.js';
import { until } from '../support/until.js';
import { messagesOf, type Client, type Listening } from './listening.js';
import { startNumbersApp, type NumbersApp } from './numbers-app.js';
import { startStandIn, type StandIn } from './stand-in.js';

/** An application, a proxy in front of it, and streams that a client reads through the proxy. */
export class StreamRig {
  app!: NumbersApp;
  proxy!: TcpProxy;
  private standIn: StandIn | undefined;
  private readonly listening: Listening[] = [];

  constructor(
    private readonly client: Pick<Client, 'listen'>,
    private readonly adapter: Adapter,
    private readonly controllers: readonly Type[] = [],
  ) {}

  async start(options: SseModuleOptions = {}, adapter: Adapter = this.adapter): Promise<void> {
    this.app = await startNumbersApp(adapter, { options, controllers: this.controllers });
    this.proxy = await startProxy(this.app.url);
  }

  /** For `afterEach`. */
  async close(): Promise<void> {
    this.listening.splice(0).forEach((one) => one.close());
    await this.proxy?.close();
    await this.standIn?.close();
    await closeApps();
  }

  listen(path: string): Listening {
    const one = this.client.listen(this.proxy.url(this.app.url + path));
    this.listening.push(one);
    return one;
  }

  /** Opens a stream, and waits until the client knows its position. */
  async open(path: string): Promise<Listening> {
    const one = this.listen(path);
    await until(() => one.events.some(({ type }) => type === 'sse:open'));
    return one;
  }

  received(one: Listening, data: string): Promise<unknown> {
    return until(() => messagesOf(one).includes(data));
  }

  /** Keeps the client away, while something happens. */
  async away(meanwhile: () => Promise<unknown>): Promise<void> {
    this.proxy.refuse();
    this.proxy.cut();
    await until(() => this.app.sse.stats().connections === 0);
    await meanwhile();
    this.proxy.accept();
  }

  /** Lets something else answer in place of the application, while an event is missed. */
  async replaced(event: string, ...answer: Parameters<typeof startStandIn>): Promise<StandIn> {
    this.standIn = await startStandIn(...answer);
    this.proxy.redirect(this.standIn.url);
    await this.away(() => this.app.sse.send('plain', event));
    return this.standIn;
  }

  /** Ends the application, and starts another in its place. */
  async restart(): Promise<void> {
    await this.away(async () => {
      await this.app.close();
      this.app = await startNumbersApp(this.adapter, { controllers: this.controllers });
      this.proxy.redirect(this.app.url);
    });
  }

  /** Waits for so long that the client would have returned if it meant to. */
  async longEnough(): Promise<void> {
    await this.open('/several');
    for (let i = 1; i <= 3; i++) {
      this.proxy.cut();
      await until(() => this.app.statusesOf('/several').length > i);
    }
  }
}
