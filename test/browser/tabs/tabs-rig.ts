import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { until } from '../../support/until.js';
import { ClientTab, type BrowserTab, type TabBrowser } from './tab.js';
import { TabsApp, tabScripts, type TabScripts } from './tabs-app.js';

/** The channels of a tab, if a test says nothing else. */
export const CHANNELS: readonly string[] = Array.from({ length: 20 }, (_, at) => `numbers:${at}`);

/** What a tab says where the browser forbids what tabs share. */
export const FORBIDDEN = /forbids it: SecurityError/;

/** A browser for the tests of a file, and for each test an application and tabs. */
export class TabsRig<Tab extends BrowserTab = BrowserTab> {
  browser!: TabBrowser<Tab>;
  app!: TabsApp;
  /** The tabs that are to receive everything. */
  tabs: ClientTab<Tab>[] = [];
  scripts!: TabScripts;

  constructor(start: () => Promise<TabBrowser<Tab>>) {
    beforeAll(async () => {
      this.scripts = await tabScripts();
      this.browser = await start();
    });
    afterAll(() => this.browser?.close());
    beforeEach(async () => {
      this.app = await TabsApp.start(this.scripts, CHANNELS);
      this.tabs = [];
    });
    afterEach(async () => {
      for (const { tab } of this.tabs) await tab.close().catch(() => undefined);
      await this.app.close();
    });
  }

  /**
   * Opens a tab, and waits until all its channels are open.
   *
   * @param query of the page: see page.js
   * @param from where it begins
   */
  async open(
    names: readonly string[] = CHANNELS,
    query = '',
    from?: string,
  ): Promise<ClientTab<Tab>> {
    return this.openPage(this.app.page(query), names, from);
  }

  async openPage(url: string, names = CHANNELS, from?: string): Promise<ClientTab<Tab>> {
    const tab = new ClientTab(await this.browser.open(url), names);
    this.tabs.push(tab);
    await tab.begin(from);
    return tab;
  }

  async openMany(count: number, query?: string): Promise<void> {
    for (let n = 0; n < count; n++) await this.open(CHANNELS, query);
  }

  /** Expects that two pages have a connection each, and tell why. */
  async expectAlone(url: string, reason: RegExp): Promise<void> {
    for (let n = 0; n < 2; n++) await this.openPage(url);
    this.app.publish();
    await this.sendMore();
    await this.expectWhole(2);
    for (const tab of this.tabs) {
      expect((await tab.shown()).fallbacks).toEqual([expect.stringMatching(reason)]);
    }
  }

  /** The tab that leads. */
  async leader(): Promise<ClientTab<Tab>> {
    return until(
      async () => {
        const shown = await Promise.all(this.tabs.map((tab) => tab.shown()));
        return this.tabs.find((_, at) => shown[at]!.isLeader);
      },
      { every: 20, what: 'a leader' },
    );
  }

  /** The tab that leads, which is to receive nothing from now on. */
  async takeLeader(): Promise<ClientTab<Tab>> {
    const leader = await this.leader();
    this.tabs.splice(this.tabs.indexOf(leader), 1);
    return leader;
  }

  async onlyOneLeads(): Promise<void> {
    const shown = await Promise.all(this.tabs.map((tab) => tab.shown()));
    expect(shown.filter(({ isLeader }) => isLeader)).toHaveLength(1);
  }

  async sendMore(count = 50): Promise<void> {
    const { sent } = this.app;
    await until(() => this.app.sent > sent + count, { what: `${count} more numbers` });
  }

  async connections(count: number): Promise<void> {
    await until(() => this.app.connections === count, {
      what: `${count} connections at the server`,
    });
  }

  /** Waits until all tabs have what has been sent until now. */
  async arrive(): Promise<void> {
    const { sent } = this.app;
    for (const tab of this.tabs) expect(await tab.faults(sent)).toEqual([]);
  }

  /** Expects that no tab lacks or repeats a number, and how many connections bring them. */
  async expectWhole(connections = 1): Promise<void> {
    const last = await this.app.stopPublishing();
    for (const tab of this.tabs) expect(await tab.faults(last)).toEqual([]);
    await this.connections(connections);
  }

  /** Tells how long the tabs were without a leader: a figure to look at, which depends on the machine. */
  async tell(what: string, since: number): Promise<void> {
    const measured = await Promise.all(
      this.tabs.map(({ tab }) => tab.run<{ first: number }>(`tab.measured(${since})`)),
    );
    console.log(`${what}: events again after ${measured.map(({ first }) => first).join(', ')} ms`);
  }
}
