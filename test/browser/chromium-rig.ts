import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startChromium } from './chromium.js';
import { startSampleServer, type SampleOptions, type SampleServer } from './sample-page.js';

/** What is dark in each scheme. */
const DARK_PART = { light: 'color', dark: 'backgroundColor' } as const;

export type ColorScheme = keyof typeof DARK_PART;

/**
 * The sample and a Chromium for the tests of a file. Each test has a browser context of its own, and fails
 * when a script of its pages does.
 */
export class ChromiumRig {
  server!: SampleServer;
  private context!: BrowserContext;
  private errors: string[] = [];

  constructor(options?: SampleOptions) {
    let browser: Browser | undefined;
    beforeAll(async () => {
      browser = await startChromium();
      this.server = await startSampleServer(options);
    });
    afterAll(async () => {
      await browser?.close();
      await this.server?.close();
    });
    beforeEach(async () => {
      this.context = await browser!.newContext();
      this.errors = [];
      this.context.on('weberror', (error) => this.errors.push(error.error().message));
    });
    afterEach(async () => {
      await this.context?.close();
      expect(this.errors).toEqual([]);
    });
  }

  /** Opens a page of the sample in the test's context. */
  async open(path: string): Promise<Page> {
    return this.openUrl(`${this.server.address}${path}`);
  }

  /** The same behind the proxy, which may cut the page's connections. */
  async openProxied(path: string): Promise<Page> {
    return this.openUrl(this.server.proxy.url(`${this.server.address}${path}`));
  }

  /** Opens a page of something else than that sample. */
  async openUrl(url: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(url);
    return page;
  }
}

/** Gives the page the screen of a phone. */
export async function onPhone(page: Page, colorScheme: ColorScheme): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize({ width: 360, height: 740 });
}

/** Expects that nothing of the page is beyond the edge of the phone, and that its colors are those of the scheme. */
export async function expectFitsPhone(page: Page, colorScheme: ColorScheme): Promise<void> {
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  const style = "getComputedStyle(document.querySelector('section'))";
  const shown = await page.evaluate(`${style}.${DARK_PART[colorScheme]}`);
  expect(shown).toMatch(/^rgb\((2\d|3\d), /);
}
