import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { EMPTY, type Observable } from 'rxjs';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { SseInspectorModule, type SseInspectorOptions } from '../../lib/inspector/index.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { startChromium } from './chromium.js';

@Controller()
class RoomsController {
  @Sse('rooms/:room')
  @SseChannel('room:{room}')
  room(): void {}

  @Sse('closed')
  @SseChannel('room:closed')
  closed(): Observable<never> {
    return EMPTY;
  }
}

/** An application with an inspector at `/admin/sse`, and rooms to listen to. */
export function startInspected(
  inspector: SseInspectorOptions = {},
  options: SseModuleOptions = {},
  port = 0,
): Promise<TestApp> {
  return startApp({
    options,
    port,
    controllers: [RoomsController],
    imports: [SseInspectorModule.forRoot({ guards: 'none', path: 'admin/sse', ...inspector })],
  });
}

/**
 * A Chromium for the tests of the inspector. A test fails when its page reports an error, on its console or
 * otherwise: a violation of the page's policy is one.
 */
export class InspectorRig {
  private browser!: Browser;
  private readonly contexts: BrowserContext[] = [];
  private errors: string[] = [];
  /** What errors the test itself causes. */
  expected: RegExp | undefined;

  constructor() {
    beforeAll(async () => {
      this.browser = await startChromium();
    });
    afterAll(() => this.browser?.close());
    beforeEach(() => {
      this.errors = [];
      this.expected = undefined;
    });
    afterEach(async () => {
      for (const context of this.contexts.splice(0)) await context.close();
      await closeApps();
      expect(this.errors.filter((error) => !this.expected?.test(error))).toEqual([]);
    });
  }

  /** Opens the page, and waits until it is live. */
  async open(
    app: { readonly url: string },
    hash = '',
    options: BrowserContextOptions = {},
  ): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: { width: 1_440, height: 900 },
      ...options,
    });
    this.contexts.push(context);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.errors.push(message.text());
    });
    await page.goto(`${app.url}/admin/sse${hash}`);
    await page.waitForSelector('#stream[data-state=live]');
    return page;
  }
}

/** Shows the document, or hides it, as far as the page can tell. */
export function look(page: Page, isSeen: boolean): Promise<void> {
  return page.evaluate(`
    Object.defineProperty(document, 'hidden', { value: ${!isSeen}, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'))`);
}

/** The names of the channels that are in the document. */
export function namesIn(page: Page): Promise<string[]> {
  return page.$$eval('#channels [role=gridcell][data-key=name]', (cells) =>
    cells.map((cell) => cell.textContent ?? ''),
  );
}

/** What a row of the channels shows. */
export async function rowOf(page: Page, name: string): Promise<Record<string, string>> {
  const cells = `#channels .grid-body [role=row]:has([data-key=name][title="${name}"]) [role=gridcell]`;
  return Object.fromEntries(
    await page.$$eval(cells, (found) =>
      found.map((cell) => [cell.getAttribute('data-key') ?? '', cell.textContent ?? '']),
    ),
  ) as Record<string, string>;
}

/** Opens so many channels, by an event for each. */
export async function openChannels(app: TestApp, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await app.sse.send(`load:${String(n).padStart(5, '0')}`, { n });
  }
}
