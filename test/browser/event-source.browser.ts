import { afterAll, beforeAll, describe } from '@jest/globals';
import { testClient } from '../clients/client-tests.js';
import type { Client } from '../clients/listening.js';
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
});
