import { describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import { ChromiumRig, expectFitsPhone, onPhone } from './chromium-rig.js';

const rig = new ChromiumRig();

/** More than a browser's connections to one address. */
const TABS = 8;

function isOpen(page: Page, room: string): Promise<unknown> {
  return page.waitForSelector(`.card[data-room="${room}"][data-state="open"]`);
}

async function connections(): Promise<number> {
  const { sse } = (await (await fetch(`${rig.server.address}/stats`)).json()) as {
    sse: { connections: number };
  };
  return sse.connections;
}

/** What a page shows of a room, oldest first. */
async function messages(page: Page, room: string, count: number): Promise<(string | null)[]> {
  const shown = `.card[data-room="${room}"] .messages li`;
  return until(
    async () => {
      const all = await page.$$eval(shown, (lines) => lines.map((line) => line.textContent));
      return all.length >= count && all.toReversed();
    },
    { what: `${count} messages in ${room}`, every: 50 },
  );
}

describe('the page with many rooms', () => {
  it('has one connection for all rooms of all tabs', async () => {
    const pages: Page[] = [];
    for (let n = 0; n < TABS; n++) pages.push(await rig.open('/rooms.html'));
    for (const page of pages) {
      for (const room of ['lobby', 'kitchen', 'garden']) await isOpen(page, room);
    }
    await until(async () => (await connections()) === 1, { what: 'one connection', every: 50 });
    await pages.at(-1)!.click('.card[data-room="kitchen"] form button');
    for (const page of pages) expect(await messages(page, 'kitchen', 1)).toEqual(['Hi there']);

    // The tab that leads is the first one.
    await pages.shift()!.close();
    await pages[0]!.fill('.card[data-room="kitchen"] input', 'And now?');
    await pages[0]!.click('.card[data-room="kitchen"] form button');
    for (const page of pages) {
      expect(await messages(page, 'kitchen', 2)).toEqual(['Hi there', 'And now?']);
    }
  });

  it('enters and leaves rooms, and misses nothing of the others', async () => {
    const page = await rig.open('/rooms.html?room=attic');
    await isOpen(page, 'attic');
    const send = async (room: string, text: string) =>
      fetch(`${rig.server.address}/rooms/${encodeURIComponent(room)}`, {
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body: text,
      });
    await send('attic', 'first');
    await page.fill('#enter input', 'under the stairs');
    await page.click('#enter button');
    await send('attic', 'second');
    await isOpen(page, 'under the stairs');
    await send('under the stairs', 'dark here');
    expect(await messages(page, 'under the stairs', 1)).toEqual(['dark here']);
    await page.click('.card[data-room="under the stairs"] .leave');
    await send('attic', 'third');
    expect(await messages(page, 'attic', 3)).toEqual(['first', 'second', 'third']);
    expect(await page.$$('.card[data-room="under the stairs"]')).toEqual([]);
  });

  it.each(['light', 'dark'] as const)('fits a phone in %s', async (scheme) => {
    const page = await rig.open('/rooms.html');
    await onPhone(page, scheme);
    await isOpen(page, 'garden');
    await expectFitsPhone(page, scheme);
  });
});
