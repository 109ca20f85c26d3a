import { describe, it } from '@jest/globals';
import { until } from '../../support/until.js';
import type { Shown, TabBrowser } from './tab.js';
import { TAB_BROWSERS } from './tab-browsers.js';
import { CHANNELS, TabsRig } from './tabs-rig.js';

// A crash ends the session of WebKit's driver, but not the browser: its pages tell the server what they show.
describe.each(TAB_BROWSERS.filter(({ name }) => name === 'WebKit'))(
  'tabs of $name',
  ({ start }) => {
    let isDriven = true;
    const rig: TabsRig = new TabsRig(async (): Promise<TabBrowser> => {
      const browser = await start();
      const open: TabBrowser['open'] = async (url) => {
        const tab = await browser.open(url);
        const id = new URL(url).searchParams.get('report')!;
        const shown = (): Shown => rig.app.reports.get(id)!;
        return {
          ...tab,
          run: async <Result>(expression: string) =>
            isDriven ? tab.run<Result>(expression) : (shown() as Result),
        };
      };
      return { pid: browser.pid, open, close: () => browser.close() };
    });

    it('lose and repeat nothing when the process of the tab that leads is killed', async () => {
      for (let n = 0; n < 4; n++) await rig.open(CHANNELS, `?report=${n}`);
      rig.app.publish();
      await rig.sendMore();
      const first = await rig.takeLeader();
      const killed = await first.tab.process();
      await until(() => rig.app.reports.size === 4, { what: 'a report of each tab' });
      isDriven = false;
      process.kill(killed, 'SIGKILL');
      await rig.leader();
      await rig.sendMore();
      await rig.expectWhole();
      await rig.onlyOneLeads();
    });
  },
);
