// Takes the pictures of docs/inspector.md, by the Chromium that CHROMIUM names:
//   CHROMIUM=/usr/bin/chromium node --import ./scripts/typescript.mjs test/browser/take-pictures.ts
import { Controller, Sse } from '@nestjs/common';
import { once } from 'node:events';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { projectRoot } from '../support/project-root.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { startChromium } from './chromium.js';

/** For how long the page looks on before it is taken, so that its charts have something to show, in ms. */
const LOOK = 40_000;
const PLACES = ['berlin', 'lagos', 'lima', 'osaka', 'oslo', 'quito'];
const TYPES = ['accepted', 'picked-up', 'near', 'delivered'];

// The page names the host, which is not that of whoever takes the pictures.
const os = createRequire(import.meta.url)('node:os') as { hostname: () => string };
os.hostname = () => 'web-1';
syncBuiltinESMExports();
const { SseChannel } = await import('../../lib/index.js');
const { SseInspectorModule } = await import('../../lib/inspector/index.js');

@Controller()
class OrdersController {
  @Sse('orders/:order')
  @SseChannel('order:{order}')
  order(): void {}

  @Sse('couriers/:place')
  @SseChannel('couriers:{place}')
  couriers(): void {}
}

const app = await startApp({
  controllers: [OrdersController],
  options: {
    client: ({ query }) => query['user'] as string | undefined,
    limits: { connectionsPerClient: 10 },
  },
  imports: [SseInspectorModule.forRoot({ guards: 'none', showData: true, path: 'sse' })],
});
const halt = new AbortController();
let browser: Browser | undefined;
let idle: Socket[] = [];
try {
  await fill(app);
  idle = await addIdle(app);
  const traffic = send(app);
  browser = await startChromium();
  const pages = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({
      colorScheme,
      viewport: { width: 1_280, height: 720 },
    });
    const page = await context.newPage();
    await page.goto(`${app.url}/sse#sort=rate&open=couriers%3Alima`);
    await page.waitForSelector('.events .size');
    await page.click('text=Follow');
    pages.push({ page, colorScheme });
  }
  await pause(LOOK);
  for (const { page, colorScheme } of pages) {
    await page.bringToFront();
    await page.waitForSelector('#stream[data-state=live]');
    const path = join(projectRoot, `docs/inspector-${colorScheme}.png`);
    await page.screenshot({ path });
    console.log(path);
  }
  halt.abort();
  await traffic;
} finally {
  halt.abort();
  await browser?.close();
  for (const socket of idle) socket.destroy();
  await app.close();
}

/** Clients who read, some who have left, and one who wanted too much. */
async function fill({ connect: open, sse }: TestApp): Promise<void> {
  for (let n = 0; n < 60; n++) {
    await sse.send(`order:${4_100 + n}`, { state: 'accepted' }, { type: 'accepted' });
    const client = await open(`/orders/${4_100 + n}?user=user-${n}`);
    if (n % 6 === 0) await client.close();
  }
  for (const [n, place] of PLACES.entries()) {
    for (let m = 0; m <= n; m++) await open(`/couriers/${place}?user=desk-${place}-${m}`);
  }
  for (let n = 0; n < 13; n++) {
    await open(`/couriers/lima?user=greedy`).catch(() => undefined);
  }
  for (const user of ['user-8', 'user-21']) await sse.disconnect({ client: user });
}

/** Clients who never read. */
async function addIdle({ url }: TestApp): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  return Promise.all(
    ['tablet-7', 'tablet-9'].map(async (user) => {
      const socket = connect(Number(port), hostname);
      await once(socket, 'connect');
      socket.pause();
      socket.write(`GET /couriers/osaka?user=${user} HTTP/1.1\r\nHost: sample\r\n\r\n`);
      return socket;
    }),
  );
}

/** Sends events until the pictures are taken; those of one channel are too many for who does not read. */
async function send({ sse }: TestApp): Promise<void> {
  const route = Array.from({ length: 4_000 }, (_, n) => [52 + n / 1e4, 13 + n / 1e4]);
  for (let n = 0; !halt.signal.aborted; n++) {
    const place = PLACES[(n * n) % PLACES.length]!;
    await sse.send(
      `couriers:${place}`,
      { courier: n % 40, minutes: 3 + (n % 17) },
      { type: 'moved' },
    );
    await sse.send(`couriers:lima`, { courier: n % 40, minutes: 3 + (n % 17) }, { type: 'moved' });
    if (n % 4 === 0) {
      const type = TYPES[(n / 4) % TYPES.length]!;
      await sse.send(`order:${4_100 + (n % 60)}`, { state: type, courier: n % 40 }, { type });
    }
    if (n < 200) await sse.send('couriers:osaka', { courier: 3, route }, { type: 'route' });
    await pause(20 + 15 * Math.sin(n / 90));
  }
}
