import { Firefox } from '../firefox.js';
import { Chromium } from './chromium.js';
import type { TabBrowser } from './tab.js';
import { processOfPage } from './tab-process.js';
import { WebKit } from './webkit.js';

/** @param preferences beside those of all tests */
export async function startFirefox(
  preferences?: Readonly<Record<string, boolean | number>>,
): Promise<TabBrowser> {
  const browser = await Firefox.start(process.env['FIREFOX']!, preferences);
  return {
    pid: browser.pid,
    open: async (url) => {
      const tab = await browser.open(url);
      const run = async <Result>(expression: string): Promise<Result> => {
        const text = await tab.evaluate(`(async () => JSON.stringify(await (${expression})))()`);
        return JSON.parse(text as string) as Result;
      };
      return {
        run,
        reload: () => tab.reload(),
        go: (to) => tab.go(to),
        back: () => tab.back(),
        process: () => processOfPage(browser.pid, run),
        close: () => tab.close(),
      };
    },
    close: () => browser.close(),
  };
}

/** A browser of this machine that has tabs for tests. */
export interface TabEngine {
  readonly name: string;
  start(): Promise<TabBrowser>;
  /** Whether its driver goes on when the process of a page is killed: see webkit-crash.browser.ts. */
  readonly outlivesCrash: boolean;
  /** Whether a page that has held locks and read a stream comes back as it was: not in Firefox. */
  readonly keepsPages: boolean;
}

export const TAB_BROWSERS: readonly TabEngine[] = [
  ...(process.env['CHROMIUM']
    ? [{ name: 'Chromium', start: () => Chromium.start(), outlivesCrash: true, keepsPages: true }]
    : []),
  ...(process.env['FIREFOX']
    ? [{ name: 'Firefox', start: () => startFirefox(), outlivesCrash: true, keepsPages: false }]
    : []),
  ...(process.env['WEBKIT_DRIVER'] && process.env['WEBKIT'] && process.env['XVFB']
    ? [{ name: 'WebKit', start: () => WebKit.start(), outlivesCrash: false, keepsPages: true }]
    : []),
];
