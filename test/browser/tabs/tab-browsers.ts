import { Firefox } from '../firefox.js';
import { Chromium } from './chromium.js';
import type { TabBrowser } from './tab.js';
import { WebKit } from './webkit.js';

async function firefox(): Promise<TabBrowser> {
  const browser = await Firefox.start(process.env['FIREFOX']!);
  return {
    open: async (url) => {
      const tab = await browser.open(url);
      return {
        run: async <Result>(expression: string) => {
          const text = await tab.evaluate(`(async () => JSON.stringify(await (${expression})))()`);
          return JSON.parse(text as string) as Result;
        },
        reload: () => tab.reload(),
        go: (to) => tab.go(to),
        close: () => tab.close(),
      };
    },
    close: () => browser.close(),
  };
}

/** The browsers of this machine that have tabs for tests. */
export const TAB_BROWSERS: readonly { name: string; start: () => Promise<TabBrowser> }[] = [
  ...(process.env['CHROMIUM'] ? [{ name: 'Chromium', start: () => Chromium.start() }] : []),
  ...(process.env['FIREFOX'] ? [{ name: 'Firefox', start: firefox }] : []),
  ...(process.env['WEBKIT_DRIVER'] && process.env['WEBKIT'] && process.env['XVFB']
    ? [{ name: 'WebKit', start: () => WebKit.start() }]
    : []),
];
