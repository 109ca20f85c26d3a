import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { Visitor, comingsAndGoings } from '../sample/visitor.js';
import { ChromiumRig, expectFitsPhone, onPhone } from './chromium-rig.js';
import { Firefox, type FirefoxTab } from './firefox.js';

/** Longer than a reload takes on a busy machine. */
const GRACE_MS = 8_000;

const rig = new ChromiumRig({ presenceGrace: GRACE_MS });

const openLounge = (room: string) => rig.open(`/lounge.html?room=${room}`);

async function logIn(page: Page, name: string): Promise<void> {
  await page.waitForSelector('#log-in:not([hidden])');
  // By the keyboard alone: the form has the focus.
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
}

describe('the lounge in Chromium', () => {
  it('shows who is here in each tab, survives reloads, and logs out in all tabs', async () => {
    const bob = await Visitor.logIn(rig.server.address, 'Bob');
    const watcher = await bob.enter('lobby');
    const one = await openLounge('lobby');
    await logIn(one, 'Ada');
    await one.waitForSelector('#people >> text=Ada (you)');
    await one.waitForSelector('#people >> text=Bob');
    const two = await openLounge('lobby');
    await two.waitForSelector('#people >> text=Ada (you)');
    const eve = await Visitor.logIn(rig.server.address, 'Eve');
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
    await onPhone(page, colorScheme);
    await logIn(page, 'x'.repeat(40));
    await page.waitForSelector('#people >> text=(you)');
    await expectFitsPhone(page, colorScheme);
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
    const bob = await Visitor.logIn(rig.server.address, 'Bob');
    const watcher = await bob.enter('fox');
    const one = await firefox.open(`${rig.server.address}/lounge.html?room=fox`);
    await asks(one);
    await one.enter('Ada');
    await shows(one, '#people', 'Ada (you)');
    await shows(one, '#people', 'Bob');
    const two = await firefox.open(`${rig.server.address}/lounge.html?room=fox`);
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
