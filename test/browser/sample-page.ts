import type { NextFunction, Request, Response } from 'express';
import type { Browser, Page } from 'playwright-core';
import type { AppOptions } from '../../sample/app.module.js';
import { createApp } from '../../sample/app.js';
import { prepareDatabase } from '../../sample/database.js';
import { SseTestClient } from '../../lib/testing/index.js';
import { createDatabase } from '../support/databases.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { until } from '../support/until.js';

/** A request for an event stream, as the server saw it. */
export interface StreamRequest {
  readonly path: string;
  readonly lastEventId: string | undefined;
  readonly response: Response;
}

/** The sample behind a proxy, so that a test can cut the browser's connections. */
export interface SampleServer {
  /** Past the proxy: for the test's own requests. */
  readonly address: string;
  readonly proxy: TcpProxy;
  /** Every request for an event stream so far, in order. */
  readonly requests: readonly StreamRequest[];
  close(): Promise<void>;
}

export type SampleOptions = Pick<AppOptions, 'presenceGrace' | 'answerPace'>;

/** Starts the sample in this process, on a database of its own. */
export async function startSampleServer(options: SampleOptions = {}): Promise<SampleServer> {
  const database = await createDatabase();
  await prepareDatabase(database.url);
  const app = await createApp({ databaseUrl: database.url, ...options });
  const requests: StreamRequest[] = [];
  app.use((request: Request, response: Response, next: NextFunction) => {
    if (request.path.startsWith('/events/') || request.path === '/stream') {
      const lastEventId = request.get('last-event-id');
      requests.push({ path: request.path, lastEventId, response });
    }
    next();
  });
  await app.listen(0, '127.0.0.1');
  const address = await app.getUrl();
  await whenListening(address);
  requests.length = 0;
  const proxy = await startProxy(address);
  return {
    address,
    proxy,
    requests,
    close: async () => {
      await proxy.close();
      await app.close();
      await database.drop();
    },
  };
}

/** Waits until the application listens to its database: who comes earlier is told of a gap. */
async function whenListening(address: string): Promise<void> {
  const client = await SseTestClient.connect(`${address}/events/users`);
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ name: 'Nobody', status: 'offline' });
  await until(
    async () => {
      await fetch(`${address}/users`, { method: 'POST', headers, body });
      return client.events.some(({ type }) => type === 'insert');
    },
    { every: 50, deadline: 20_000, what: 'a row to arrive as an event' },
  );
  await client.close();
}

/** A row of the page's list of events. */
export interface ShownEvent {
  readonly name: string;
  readonly id: string;
  readonly data: string;
}

/** The sample's page in a browser context of its own. */
export class SamplePage {
  /** Errors of the page's scripts and of its console. */
  readonly errors: string[] = [];
  /** Origins the page has asked for anything. */
  readonly origins = new Set<string>();

  private constructor(readonly page: Page) {
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    page.on('request', (request) => this.origins.add(new URL(request.url()).origin));
  }

  static async open(browser: Browser, url: string): Promise<SamplePage> {
    const context = await browser.newContext();
    const sample = new SamplePage(await context.newPage());
    await sample.page.goto(url);
    for (const stream of ['users', 'orders', 'key', 'room', 'clock'])
      await sample.reaches(stream, 'open');
    return sample;
  }

  click(selector: string): Promise<void> {
    return this.page.click(selector);
  }

  /** Waits until the stream's card shows the state. */
  async reaches(stream: string, state: string): Promise<void> {
    await this.page.waitForSelector(`.card[data-stream="${stream}"][data-state="${state}"]`);
  }

  /** The events of a stream that the page shows, oldest first. */
  async events(stream: string): Promise<ShownEvent[]> {
    const newestFirst = await this.page.$$eval(`#log tr[data-stream="${stream}"]`, (rows) =>
      rows.map((row) => {
        const [, , name = '', id = '', data = ''] = [...row.children].map(
          (cell) => cell.textContent,
        );
        return { name, id, data };
      }),
    );
    return newestFirst.toReversed();
  }

  /** Waits until the page shows so many events of the stream. */
  async received(stream: string, count: number, deadline = 20_000): Promise<ShownEvent[]> {
    return until(
      async () => {
        const events = await this.events(stream);
        return events.length >= count && events;
      },
      { deadline, every: 50, what: `${count} events of ${stream} in the page` },
    );
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
