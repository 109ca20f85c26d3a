import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { testClient } from '../clients/client-tests.js';
import { messagesOf, type Client } from '../clients/listening.js';
import { startNumbersApp } from '../clients/numbers-app.js';
import { startProxy } from '../support/proxy.js';
import { closeApps } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ENGINES } from './engines.js';
import { StreamPageController } from './stream-page.js';
import { TestBrowser } from './test-browser.js';

describe.each(ENGINES)("$name's EventSource", (engine) => {
  let browser: TestBrowser;

  beforeAll(async () => {
    browser = await TestBrowser.start(engine);
  });
  afterAll(() => browser?.close());

  const client: Client = {
    name: engine.name,
    listen: (url) => browser.listen(url, new URL('/page', url).href),
    keepsIdOfFrames: engine.name === 'Chromium',
    keepsIdAtItsLine: false,
    returnsAfter502: false,
    withWideId: 'resumes',
  };

  testClient(client, { cuts: 12, adapters: ['fastify'], controllers: [StreamPageController] });

  const returns = engine.name !== 'Firefox';
  it(`${returns ? 'returns' : 'never returns'} to another origin that has refused it`, async () => {
    const app = await startNumbersApp('fastify');
    const proxy = await startProxy(app.url);
    try {
      const stream = browser.listen(proxy.url(`${app.url}/plain`));
      await until(() => stream.events.length === 1);
      proxy.refuse();
      proxy.cut();
      await until(() => app.sse.stats().connections === 0);
      await app.sse.send('plain', 'missed');
      if (returns) {
        proxy.accept();
        await until(() => messagesOf(stream).length === 1);
      }
      await until(() => stream.hasEnded !== returns);
      expect(messagesOf(stream)).toEqual(returns ? ['missed'] : []);
      stream.close();
    } finally {
      await proxy.close();
    }
  });

  it('reads a compressed stream event by event, and goes on after a cut', async () => {
    const app = await startNumbersApp('fastify', {
      options: { compression: 'shared' },
      controllers: [StreamPageController],
    });
    const proxy = await startProxy(app.url);
    try {
      const url = proxy.url(`${app.url}/plain`);
      const stream = browser.listen(url, new URL('/page', url).href);
      await until(() => stream.events.length === 1);
      const head = await fetch(`${app.url}/plain`, { headers: { 'accept-encoding': 'gzip' } });
      expect(head.headers.get('content-encoding')).toBe('gzip');
      await head.body!.cancel();
      const sent: string[] = [];
      const send = async (data: string) => app.sse.send('plain', (sent.push(data), data));
      for (let count = 1; count <= 10; count++) {
        await send(`${count} ${'much the same '.repeat(30)}`);
        await until(() => messagesOf(stream).length === count);
      }
      proxy.cut();
      for (let count = 11; count <= 40; count++) {
        await send(`${count} ${'much the same '.repeat(30)}`);
      }
      await until(() => messagesOf(stream).length === 40);
      expect(messagesOf(stream)).toEqual(sent);
      stream.close();
    } finally {
      await proxy.close();
    }
  });

  afterEach(closeApps);
});
