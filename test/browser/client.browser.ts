import { fileURLToPath } from 'node:url';
import { Controller, Get, Header } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { testClient } from '../clients/client-tests.js';
import { messagesOf, type Client, type ReceivedEvent } from '../clients/listening.js';
import { startNumbersApp } from '../clients/numbers-app.js';
import { OWN } from '../clients/own-client.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { closeApps } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startChromium } from './chromium.js';
import { ENGINES } from './engines.js';
import { TestBrowser } from './test-browser.js';

let script: string;

/** Serves a page with our own client from the origin of the streams. */
@Controller()
class ClientPageController {
  @Get('client')
  @Header('content-type', 'text/html; charset=utf-8')
  page(): string {
    return `<!doctype html><title>A client</title><script type="module">${script}</script>`;
  }
}

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('client-page-main.ts', import.meta.url))],
    bundle: true,
    write: false,
    // A blank line in the page would be the end of a frame for tests that cut there.
    minify: true,
    format: 'esm',
    tsconfigRaw: {},
    logLevel: 'silent',
  });
  script = outputFiles[0]!.text;
});

describe.each(ENGINES)('SseClient in $name', (engine) => {
  let browser: TestBrowser;

  beforeAll(async () => {
    browser = await TestBrowser.start(engine);
  });
  afterAll(() => browser?.close());

  const client: Client = {
    name: 'SseClient',
    listen: (url) => browser.listen(url, new URL('/client', url).href),
    ...OWN,
  };

  testClient(client, { cuts: 12, adapters: ['fastify'], controllers: [ClientPageController] });
});

// `npm run test:browser` says so when there is none.
if (process.env['CHROMIUM']) {
  describe('SseClient in a Chromium that goes offline', () => {
    let browser: Browser;
    let proxy: TcpProxy;

    beforeAll(async () => {
      browser = await startChromium();
    });
    afterAll(() => browser?.close());
    afterEach(async () => {
      await proxy?.close();
      await closeApps();
    });

    it('is back as soon as the network is, with all that it has missed', async () => {
      // Longer than the test: by itself it would return too late.
      const app = await startNumbersApp('fastify', {
        options: { retry: 600_000 },
        controllers: [ClientPageController],
      });
      proxy = await startProxy(app.url);
      const context = await browser.newContext();
      const page = await context.newPage();
      const stream = encodeURIComponent(proxy.url(`${app.url}/plain`));
      await page.goto(proxy.url(`${app.url}/client?stream=${stream}`));
      const received = () => page.evaluate('received') as Promise<ReceivedEvent[]>;
      await until(async () => (await received()).length === 1, { what: 'the stream to open' });
      await context.setOffline(true);
      proxy.cut();
      await until(() => app.sse.stats().connections === 0);
      await app.sse.send('plain', 'missed');
      await context.setOffline(false);
      await until(async () => (await received()).length === 3, { what: 'what was missed' });
      expect(messagesOf({ events: await received() })).toEqual(['missed']);
    });
  });
}
