import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { Visitor, comingsAndGoings } from '../sample/visitor.js';
import { startChromium } from './chromium.js';
import { Firefox, type FirefoxTab } from './firefox.js';
import { startSampleServer, type SampleServer } from './sample-page.js';

/** Longer than a reload takes on a busy machine. */
const GRACE_MS = 8_000;

/** What is dark in each scheme. */
const DARK_PART = { light: 'color', dark: 'backgroundColor' } as const;

let browser: Browser;
let server: SampleServer;
let context: BrowserContext;
let errors: string[];

beforeAll(async () => {
  browser = await startChromium();
  server = await startSampleServer({ presenceGrace: GRACE_MS });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(async () => {
  context = await browser.newContext();
  errors = [];
  context.on('weberror', (error) => errors.push(error.error().message));
});
afterEach(async () => {
  await context?.close();
  expect(errors).toEqual([]);
});

async function openLounge(room: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${server.address}/lounge.html?room=${room}`);
  return page;
}

async function logIn(page: Page, name: string): Promise<void> {
  await page.waitForSelector('#log-in:not([hidden])');
  // By the keyboard alone: the form has the focus.
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
}

describe('the lounge in Chromium', () => {
  it('shows who is here in each tab, survives reloads, and logs out in all tabs', async () => {
    const bob = await Visitor.logIn(server.address, 'Bob');
    const watcher = await bob.enter('lobby');
    const one = await openLounge('lobby');
    await logIn(one, 'Ada');
    await one.waitForSelector('#people >> text=Ada (you)');
    await one.waitForSelector('#people >> text=Bob');
    const two = await openLounge('lobby');
    await two.waitForSelector('#people >> text=Ada (you)');
    const eve = await Visitor.logIn(server.address, 'Eve');
    const guest = await eve.enter('lobby');
    await one.waitForSelector('#people >> text=Eve');
    await guest.close();
    await Promise.all([one, two].map((tab) => tab.reload()));
    await Promise.all([one, two].map((tab) => tab.waitForSelector('#people >> text=Ada (you)')));

    await one.keyboard.type('Hi');
    await one.keyboard.press('Enter');
    await two.waitForSelector('#talk >> text=Ada: Hi');
    await bob.send('POST', '/lounges/lobby/typing');
    await one.waitForSelector('#typing >> text=Typing: Bob');
    await one.waitForSelector('#people >> text=Eve', { state: 'detached' });
    expect(comingsAndGoings(watcher, 'Ada')).toEqual(['sse:join']);

    await one.click('#log-out');
    await Promise.all([one, two].map((tab) => tab.waitForSelector('#log-in:not([hidden])')));
    await watcher.until(({ type, data }) => type === 'sse:leave' && data.includes('Ada'));
    expect(comingsAndGoings(watcher, 'Ada')).toEqual(['sse:join', 'sse:leave']);
    await logIn(two, 'Ada');
    await two.waitForSelector('#people >> text=Ada (you)');
    await watcher.close();
  });

  it.each(['light', 'dark'] as const)('fits onto a phone, %s', async (colorScheme) => {
    const page = await openLounge('hall');
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 360, height: 740 });
    await logIn(page, 'x'.repeat(40));
    await page.waitForSelector('#people >> text=(you)');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    const style = "getComputedStyle(document.querySelector('section'))";
    const shown = await page.evaluate(`${style}.${DARK_PART[colorScheme]}`);
    expect(shown).toMatch(/^rgb\((2\d|3\d), /);
  });
});

const ofFirefox = (): void => {
  let firefox: Firefox;
  beforeAll(async () => void (firefox = await Firefox.start(process.env['FIREFOX']!)));
  afterAll(() => firefox?.close());

  const shows = (tab: FirefoxTab, list: string, text: string) =>
    tab.until(`document.querySelector('${list}').textContent.includes('${text}')`);
  const asks = (tab: FirefoxTab) => tab.until("!document.querySelector('#log-in').hidden");

  it('shows who is here in each tab, survives reloads, and logs out in all tabs', async () => {
    const bob = await Visitor.logIn(server.address, 'Bob');
    const watcher = await bob.enter('fox');
    const one = await firefox.open(`${server.address}/lounge.html?room=fox`);
    await asks(one);
    await one.enter('Ada');
    await shows(one, '#people', 'Ada (you)');
    await shows(one, '#people', 'Bob');
    const two = await firefox.open(`${server.address}/lounge.html?room=fox`);
    await shows(two, '#people', 'Ada (you)');
    await Promise.all([one.reload(), two.reload()]);
    for (const tab of [one, two]) await shows(tab, '#people', 'Ada (you)');
    await bob.send('POST', '/lounges/fox/messages', 'Hi');
    for (const tab of [one, two]) await shows(tab, '#talk', 'Bob: Hi');
    expect(comingsAndGoings(watcher, 'Ada')).toEqual(['sse:join']);

    await one.evaluate("document.querySelector('#log-out').click()");
    await Promise.all([asks(one), asks(two)]);
    await watcher.until(({ type, data }) => type === 'sse:leave' && data.includes('Ada'));
    expect(comingsAndGoings(watcher, 'Ada')).toEqual(['sse:join', 'sse:leave']);
    await watcher.close();
  });
};

if (process.env['FIREFOX']) describe('the lounge in Firefox', ofFirefox);
