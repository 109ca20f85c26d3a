import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Listening, ReceivedEvent } from '../clients/listening.js';
import { until } from '../support/until.js';
import type { Engine } from './engines.js';
import { PAGE, type Report } from './stream-page.js';

/** The browser's only page: it has a frame for each page that is asked for. */
const HOME = `<!doctype html><title>Tests</title><script>
async function follow() {
  for (;;) {
    const pages = await (await fetch('/pages')).json();
    for (const frame of document.querySelectorAll('iframe')) {
      if (!pages.some(({ id }) => id === frame.id)) frame.remove();
    }
    for (const { id, url } of pages) {
      if (document.getElementById(id)) continue;
      const frame = document.createElement('iframe');
      frame.id = id;
      frame.src = url;
      document.body.append(frame);
    }
  }
}
addEventListener('load', follow);
</script><body>`;

/** A stream in a page: what the page has reported so far. */
class PageStream implements Listening {
  readonly events: ReceivedEvent[] = [];
  hasEnded = false;

  constructor(
    readonly url: string,
    readonly close: () => void,
  ) {}

  take(report: Report): void {
    if ('state' in report) this.hasEnded = report.state === 2;
    else this.events.push(report);
  }
}

/** A browser whose pages a test opens and closes; pages report by `fetch`. */
export class TestBrowser {
  private readonly pages = new Map<string, PageStream>();
  private count = 0;
  /** The browser's request for the pages that are to be open: answered when these change. */
  private waiting: ServerResponse | undefined;
  private hasStarted = false;
  private haveChanged = true;
  private address = '';
  private end: (() => Promise<void>) | undefined;
  private readonly server = createServer((request, response) => {
    this.answer(request, response).catch(() => response.destroy());
  });

  /** Starts the browser and waits for its first page. */
  static async start(engine: Engine): Promise<TestBrowser> {
    const browser = new TestBrowser();
    await new Promise<void>((resolve) => browser.server.listen(0, '127.0.0.1', resolve));
    const { port } = browser.server.address() as AddressInfo;
    browser.address = `http://127.0.0.1:${port}`;
    browser.end = await engine.start(browser.address);
    await until(() => browser.hasStarted, { deadline: 50_000, what: `${engine.name} to start` });
    return browser;
  }

  /**
   * Opens a stream in a page.
   *
   * @param page the page's URL. Default: a page of another origin than any stream
   */
  listen(stream: string, page = `${this.address}/page`): Listening {
    const id = `page-${++this.count}`;
    const url = new URL(page);
    url.searchParams.set('stream', stream);
    url.searchParams.set('reports', `${this.address}/reports/${id}`);
    const opened = new PageStream(url.href, () => {
      this.pages.delete(id);
      this.change();
    });
    this.pages.set(id, opened);
    this.change();
    return opened;
  }

  async close(): Promise<void> {
    await this.end?.();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private change(): void {
    this.haveChanged = true;
    this.tell();
  }

  private tell(): void {
    if (!this.haveChanged || !this.waiting) return;
    this.waiting.end(JSON.stringify([...this.pages].map(([id, { url }]) => ({ id, url }))));
    this.waiting = undefined;
    this.haveChanged = false;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('access-control-allow-origin', '*');
    const [, path, id] = request.url!.split('/');
    if (path === 'reports') {
      const reports = JSON.parse(await text(request)) as Report[];
      for (const report of reports) this.pages.get(id!)?.take(report);
      response.end();
    } else if (path === 'pages') {
      this.hasStarted = true;
      this.waiting = response;
      this.tell();
    } else {
      const html = path?.startsWith('page?') ? PAGE : HOME;
      response.setHeader('content-type', 'text/html; charset=utf-8').end(html);
    }
  }
}
