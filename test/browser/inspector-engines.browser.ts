import { afterEach, describe, expect, it } from '@jest/globals';
import { closeApps } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startInspected } from './inspector-rig.js';
import type { TabBrowser } from './tabs/tab.js';
import { TAB_BROWSERS } from './tabs/tab-browsers.js';

/** A tab that a driver opens may be a hidden one, for which the page rightly asks nothing. */
const SHOW = `(() => {
  if (!document.hidden) return false;
  Object.defineProperty(document, 'hidden', { value: false, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
  return true;
})()`;
const NAMES = `[...document.querySelectorAll('#channels [role=gridcell][data-key=name]')].map((cell) => cell.textContent).join()`;

describe.each(TAB_BROWSERS.filter(({ name }) => name !== 'Chromium'))(
  'the inspector in $name',
  ({ start }) => {
    let browser: TabBrowser | undefined;
    afterEach(async () => {
      await browser?.close();
      await closeApps();
    });

    it('is live, lists and filters channels, and shows an event that comes', async () => {
      const app = await startInspected();
      await app.sse.send('room:attic', 1);
      await app.sse.send('room:lobby', 1);
      browser = await start();
      const tab = await browser.open(`${app.url}/admin/sse`);
      await tab.run(SHOW);
      const shows = (expression: string): Promise<unknown> =>
        until(() => tab.run<boolean>(expression), { what: expression, every: 50 });
      await shows(`document.querySelector('#stream').dataset.state === 'live'`);
      await shows(`${NAMES} === 'room:attic,room:lobby'`);
      await tab.run(`(location.hash = '#filter=LOBBY')`);
      await shows(`${NAMES} === 'room:lobby'`);
      await tab.run(`(location.hash = '#open=room%3Alobby')`);
      await shows(`document.querySelectorAll('.events .size').length === 1`);
      await tab.run(
        `([...document.querySelectorAll('button')].find((button) => button.textContent === 'Follow').click(), true)`,
      );
      await shows(`document.querySelector('.follow-state').dataset.state === 'on'`);
      await app.sse.send('room:lobby', 'x'.repeat(12));
      await shows(`document.querySelector('.events .size')?.textContent === '12 B'`);
      expect(await tab.run(`document.querySelector('#detail-title').textContent`)).toBe(
        'room:lobby',
      );
    });
  },
);
