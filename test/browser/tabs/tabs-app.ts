import {
  Body,
  Controller,
  Get,
  Header,
  Post,
  Query,
  RequestMethod,
  Sse,
  type Type,
} from '@nestjs/common';
import { build, type Plugin } from 'esbuild';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { requestedChannels, SseChannel, type SseModuleOptions } from '../../../lib/index.js';
import { startApp, type TestApp } from '../../support/start-app.js';
import { until } from '../../support/until.js';
import type { Shown } from './tab.js';

/** How many milliseconds clients are told to wait before they return, or half as much again. */
const RETRY_MS = 50;

@Controller()
class StreamController {
  @Sse('stream', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), {
    authorize: (_request, channel) => !channel.startsWith('secret'),
  })
  stream() {}

  /** Another page of the same origin. */
  @Get('elsewhere')
  @Header('content-type', 'text/html; charset=utf-8')
  elsewhere(): string {
    return '<!doctype html><title>Elsewhere</title>';
  }
}

/** What tabs of a version of the client are. */
export interface TabScripts {
  readonly now: string;
  /** Of a version whose tabs say other things to each other. */
  readonly next: string;
}

const html = (script: string): string =>
  `<!doctype html><title>A tab</title><body><script type="module" src="${script}"></script>`;

function pageController({ now, next }: TabScripts, reports: Map<string, Shown>): Type {
  @Controller()
  class TabPageController {
    @Get('tab')
    @Header('content-type', 'text/html; charset=utf-8')
    page(): string {
      return html('tab.js');
    }

    @Get('next')
    @Header('content-type', 'text/html; charset=utf-8')
    next(): string {
      return html('next.js');
    }

    /** Its origin is its own, as that of a sandboxed frame. */
    @Get('sandboxed')
    @Header('content-type', 'text/html; charset=utf-8')
    @Header('content-security-policy', 'sandbox allow-scripts')
    sandboxed(): string {
      return this.page();
    }

    @Get('tab.js')
    @Header('content-type', 'text/javascript; charset=utf-8')
    script(): string {
      return now;
    }

    /** What a page shows, of one with ?report=…. */
    @Post('report')
    report(@Query('id') id: string, @Body() shown: Shown): void {
      reports.set(id, shown);
    }

    @Get('next.js')
    @Header('content-type', 'text/javascript; charset=utf-8')
    nextScript(): string {
      return next;
    }
  }
  return TabPageController;
}

/** The script of `page.js`, as a browser loads it. */
export async function tabScripts(): Promise<TabScripts> {
  const [now, next] = await Promise.all([tabScript(), tabScript(NEXT_PROTOCOL)]);
  return { now, next };
}

const NEXT_PROTOCOL: Plugin = {
  name: 'next-protocol',
  setup: ({ onLoad }) =>
    onLoad({ filter: /share-tabs\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const contents = text.replace('const PROTOCOL = 1;', 'const PROTOCOL = 2;');
      if (contents === text) throw new Error(`There is no such protocol in ${path}.`);
      return { contents, loader: 'ts' };
    }),
};

async function tabScript(...plugins: Plugin[]): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.js', import.meta.url))],
    tsconfig: fileURLToPath(new URL('../../../tsconfig.client.json', import.meta.url)),
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2020',
    logLevel: 'silent',
    plugins,
  });
  return outputFiles[0]!.text;
}

/** An application with pages that share a connection, and a publisher of numbers. */
export class TabsApp {
  /** The last number that was sent to each channel. */
  sent = 0;
  private publishing: Promise<void> | undefined;
  private isPublishing = false;

  private constructor(
    readonly app: TestApp,
    /** What pages with ?report=… have shown last. */
    readonly reports: ReadonlyMap<string, Shown>,
    readonly channels: readonly string[],
  ) {}

  static async start(
    scripts: TabScripts,
    channels: readonly string[],
    options: SseModuleOptions = {},
    port?: number,
  ): Promise<TabsApp> {
    const reports = new Map<string, Shown>();
    const app = await startApp({
      controllers: [StreamController, pageController(scripts, reports)],
      options: {
        retry: RETRY_MS,
        retain: { events: 100_000, bytes: 100_000_000, age: 600_000 },
        ...options,
      },
      ...(port !== undefined && { port }),
      // To other origins a sandboxed page belongs too.
      prepare: (nest) => nest.enableCors(),
    });
    return new TabsApp(app, reports, channels);
  }

  get connections(): number {
    return this.app.sse.stats().connections;
  }

  page(query = '', path = 'tab'): string {
    return `${this.app.url}/${path}${query}`;
  }

  async sendNumber(): Promise<void> {
    const n = ++this.sent;
    await Promise.all(
      this.channels.map((channel) => this.app.sse.send(channel, `${n} ${Date.now()}`)),
    );
  }

  /** Sends the next number to each channel again and again. What it returns stops that. */
  publish(pause = 5): void {
    this.isPublishing = true;
    this.publishing = (async () => {
      while (this.isPublishing) {
        await this.sendNumber();
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    })();
  }

  /** @returns the last number */
  async stopPublishing(): Promise<number> {
    this.isPublishing = false;
    await this.publishing;
    return this.sent;
  }

  /** Ends the streams in order, and then what else the browser keeps open, such as sockets for later. */
  async close(): Promise<void> {
    await this.stopPublishing();
    const closing = this.app.close();
    await until(() => this.connections === 0, { what: 'the streams to end' });
    (this.app.app.getHttpServer() as Server).closeAllConnections();
    await closing;
  }
}
