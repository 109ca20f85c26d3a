import 'reflect-metadata';
import { monotonicNow } from '../../lib/channel/clock.js';
import { Chromium, type ChromiumTab } from '../../test/browser/tabs/chromium.js';
import { ClientTab } from '../../test/browser/tabs/tab.js';
import { TabsApp, tabScripts, type TabScripts } from '../../test/browser/tabs/tabs-app.js';
import { until } from '../../test/support/until.js';

/**
 * How soon, and how fast, events come to tabs of a Chromium that share a connection, beside a tab that has
 * one of its own:
 *
 *     npm run bench:tabs -- [rounds] [tabs]
 *
 * The two take turns. In each round they get 5,000 events a second for two seconds, and then 20,000 at once.
 * At last, with 5,000 a second, the tab that leads is closed, and the process of the next one killed. Server,
 * publisher and browser share the machine. It fails when a tab lacks or repeats an event.
 */

const [rounds = 3, count = 8] = process.argv.slice(2).map(Number);
const CHANNEL = 'numbers:0';
const PER_SECOND = 5_000;
const STEADY_MS = 2_000;
const EVERY_MS = 10;
const BURST = 20_000;
const PADDING = '.'.repeat(100);

/**
 * Of the slowest tab: half and all of the ways in milliseconds, events per second in a burst; and after how
 * many milliseconds there are events again once the tab that leads is gone.
 */
interface Measured {
  readonly half: number;
  readonly most: number;
  readonly rate: number;
  readonly closed?: number;
  readonly killed?: number;
}

class Bench {
  private sent = 0;

  constructor(
    private readonly browser: Chromium,
    private readonly scripts: TabScripts,
  ) {}

  async measure(tabs: number, query: string): Promise<Measured> {
    const app = await TabsApp.start(this.scripts, [CHANNEL]);
    this.sent = 0;
    const opened: ClientTab<ChromiumTab>[] = [];
    for (let n = 0; n < tabs; n++) {
      const tab = new ClientTab(await this.browser.open(app.page(query)), [CHANNEL]);
      opened.push(tab);
      await tab.begin();
    }
    try {
      await this.steady(app, 500);
      await this.arrive(opened);
      const since = Date.now();
      await this.steady(app, STEADY_MS);
      await this.arrive(opened);
      const steady = await measured(opened, since);
      const burst = Date.now();
      this.send(app, BURST);
      await this.arrive(opened);
      const { last } = await measured(opened, burst);
      const { half, most } = steady;
      const rate = (BURST / last) * 1_000;
      if (tabs === 1) return { half, most, rate };
      const closed = await this.lose(app, opened, (leader) => leader.close());
      const killed = await this.lose(app, opened, (_, pid) => process.kill(pid, 'SIGKILL'));
      return { half, most, rate, closed, killed };
    } finally {
      for (const { tab } of opened) await tab.close();
      await app.close();
    }
  }

  /** @returns how long the slowest tab has been without events */
  private async lose(
    app: TabsApp,
    opened: ClientTab<ChromiumTab>[],
    end: (leader: ChromiumTab, pid: number) => unknown,
  ): Promise<number> {
    const shown = await Promise.all(opened.map((tab) => tab.shown()));
    const at = shown.findIndex(({ isLeader }) => isLeader);
    const { tab } = opened.splice(at, 1)[0]!;
    const pid = await tab.process();
    const sending = this.steady(app, 1_500);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const since = Date.now();
    await end(tab, pid);
    await sending;
    await this.arrive(opened);
    return (await measured(opened, since)).first;
  }

  /** Sends events at the pace for some time, as many as are due each time. */
  private async steady(app: TabsApp, duration: number): Promise<void> {
    const began = monotonicNow();
    for (let sent = 0; sent < (PER_SECOND * duration) / 1_000;) {
      const due = Math.floor(((monotonicNow() - began) * PER_SECOND) / 1_000);
      this.send(app, due - sent);
      sent = Math.max(due, sent);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  private send(app: TabsApp, events: number): void {
    for (let n = 0; n < events; n++) {
      void app.app.sse.send(CHANNEL, `${++this.sent} ${Date.now()} ${PADDING}`);
    }
  }

  private async arrive(tabs: readonly ClientTab[]): Promise<void> {
    for (const { tab } of tabs) {
      await until(() => tab.run<boolean>(`tab.has('${CHANNEL}', ${this.sent})`), {
        every: 100,
        what: `number ${this.sent}`,
      });
    }
    for (const tab of tabs) {
      const faults = await tab.faults(this.sent);
      if (faults.length > 0) throw new Error(`Events are lost or twice: ${faults.join('\n')}`);
    }
  }
}

async function measured(tabs: readonly ClientTab[], since: number) {
  const all = await Promise.all(
    tabs.map(({ tab }) => tab.run<Record<string, number>>(`tab.measured(${since})`)),
  );
  const slowest = (what: string): number => Math.max(...all.map((each) => each[what]!));
  return {
    first: slowest('first'),
    half: slowest('half'),
    most: slowest('most'),
    last: slowest('last'),
  };
}

function show(what: string, all: readonly Measured[]): void {
  const list = (name: keyof Measured): string =>
    all.map((each) => Math.round(each[name]!).toLocaleString('en')).join(', ');
  console.log(
    `${what}\n  half of the ways up to: ${list('half')} ms\n  the longest: ${list('most')} ms`,
  );
  console.log(`  at once: ${list('rate')} events a second in each tab`);
  if (all[0]!.closed === undefined) return;
  console.log(`  events again after a close: ${list('closed')} ms; a crash: ${list('killed')} ms`);
}

async function main(): Promise<void> {
  process.env['CHROMIUM'] ??= '/usr/bin/chromium';
  const scripts = await tabScripts();
  const browser = await Chromium.start();
  try {
    const own: Measured[] = [];
    const shared: Measured[] = [];
    for (let round = 0; round < rounds; round++) {
      own.push(await new Bench(browser, scripts).measure(1, '?alone'));
      shared.push(await new Bench(browser, scripts).measure(count, ''));
    }
    console.log(`${PER_SECOND} events a second of 120 bytes, then ${BURST} at once; by round:`);
    show('one tab, with a connection of its own', own);
    show(`${count} tabs that share one`, shared);
  } finally {
    await browser.close();
  }
}

await main();
