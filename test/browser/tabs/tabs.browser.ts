import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../../support/until.js';
import { ClientTab, type TabBrowser } from './tab.js';
import { TAB_BROWSERS } from './tab-browsers.js';
import { TabsApp, tabScript } from './tabs-app.js';

const CHANNELS = Array.from({ length: 20 }, (_, at) => `numbers:${at}`);

let script: string;

beforeAll(async () => {
  script = await tabScript();
});

describe.each(TAB_BROWSERS)('tabs of $name', ({ start }) => {
  let browser: TabBrowser;
  let app: TabsApp;
  let tabs: ClientTab[];

  beforeAll(async () => {
    browser = await start();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    app = await TabsApp.start(script, CHANNELS);
    tabs = [];
  });
  afterEach(async () => {
    for (const { tab } of tabs) await tab.close().catch(() => undefined);
    await app.close();
  });

  async function open(
    names: readonly string[] = CHANNELS,
    query = '',
    from?: string,
  ): Promise<ClientTab> {
    const tab = new ClientTab(await browser.open(app.page(query)), names);
    tabs.push(tab);
    await tab.begin(from);
    return tab;
  }

  const one = () => until(() => app.connections === 1, { what: 'one connection at the server' });

  async function leader(): Promise<ClientTab> {
    return until(
      async () => {
        const shown = await Promise.all(tabs.map((tab) => tab.shown()));
        return tabs.find((_, at) => shown[at]!.isLeader);
      },
      { every: 20, what: 'a leader' },
    );
  }

  /** Expects that no tab lacks or repeats a number up to the last that is sent. */
  async function expectWhole(): Promise<void> {
    const last = await app.stopPublishing();
    for (const tab of tabs) expect(await tab.faults(last)).toEqual([]);
    await one();
  }

  async function gone(tab: ClientTab): Promise<void> {
    tabs.splice(tabs.indexOf(tab), 1);
  }

  it.each([1, 2, 8])('have one connection: %d tabs with 20 channels each', async (count) => {
    app.publish();
    for (let n = 0; n < count; n++) await open();
    await one();
    for (const tab of tabs)
      await tab.shows(({ channels }) => channels[CHANNELS[0]!]!.last > 0, 'events');
    await expectWhole();
    const shown = await Promise.all(tabs.map((tab) => tab.shown()));
    expect(shown.filter(({ isLeader }) => isLeader)).toHaveLength(1);
    expect(shown.flatMap(({ fallbacks }) => fallbacks)).toEqual([]);
  });

  it('lose and repeat nothing when the tab that leads is closed', async () => {
    for (let n = 0; n < 4; n++) await open();
    app.publish();
    for (let n = 0; n < 3; n++) {
      const { sent } = app;
      await until(() => app.sent > sent + 20);
      const first = await leader();
      await gone(first);
      await first.tab.close();
      await leader();
    }
    const { sent } = app;
    await until(() => app.sent > sent + 20);
    await expectWhole();
  });

  it('lose and repeat nothing when the tab that leads goes elsewhere', async () => {
    for (let n = 0; n < 3; n++) await open();
    app.publish();
    await until(() => app.sent > 20);
    const first = await leader();
    await gone(first);
    await first.tab.go(`${app.app.url}/elsewhere`);
    await leader();
    const { sent } = app;
    await until(() => app.sent > sent + 20);
    await expectWhole();
    await first.tab.close();
  });

  it('lose and repeat nothing when the tab that leads is reloaded', async () => {
    for (let n = 0; n < 3; n++) await open(CHANNELS, '?keep');
    app.publish();
    await until(() => app.sent > 20);
    const first = await leader();
    await first.tab.reload();
    await first.want(CHANNELS);
    const { sent } = app;
    await until(() => app.sent > sent + 20);
    await expectWhole();
  });

  it('begin where each of them wants to', async () => {
    app.publish();
    await open();
    await until(() => app.sent > 50);
    const late = await open(CHANNELS, '', 'earliest');
    await until(() => app.sent > 100);
    await expectWhole();
    const { channels } = await late.shown();
    expect(CHANNELS.map((name) => channels[name]!.first)).toEqual(CHANNELS.map(() => 1));
  });

  it('add and remove channels in a tab that does not lead', async () => {
    app.publish();
    await open(CHANNELS.slice(0, 2));
    const second = await open(CHANNELS.slice(1, 3));
    await until(() => app.sent > 20);
    await second.want(CHANNELS.slice(1, 5));
    await second.shows(({ channels }) => channels[CHANNELS[4]!]?.last, 'a new channel');
    await second.want(CHANNELS.slice(3, 5));
    const { sent } = app;
    await until(() => app.sent > sent + 20);
    const last = await app.stopPublishing();
    const { channels } = await second.shows(
      (shown) => CHANNELS.slice(3, 5).every((name) => shown.channels[name]!.last === last),
      'the last number in the channels that are left',
    );
    expect(Object.values(channels).every(({ isWhole }) => isWhole)).toBe(true);
    expect(channels[CHANNELS[1]!]!.last).toBeLessThan(last);
    expect(await tabs[0]!.faults(last)).toEqual([]);
    await one();
  });

  it('hear what is denied and what ends, in each tab that wants it', async () => {
    await open(['numbers:0', 'numbers:1']);
    await open(['numbers:0']);
    for (const tab of tabs) {
      await tab.want(['numbers:0', 'secret', 'secret:2']);
      await tab.shows(({ channels }) => channels['secret']?.denied, 'a channel denied');
    }
    await app.sendNumber();
    await app.app.sse.complete('numbers:0');
    for (const tab of tabs) {
      const { channels } = await tab.shows(
        (shown) => shown.channels['numbers:0']!.ended,
        'the end',
      );
      expect(channels['numbers:0']).toMatchObject({ last: 1, isWhole: true, ended: 1 });
      expect(channels['secret']).toMatchObject({ denied: 1 });
    }
    await until(() => app.connections === 0);
  });

  it('share by key only', async () => {
    await open(CHANNELS, '?key=ada');
    await open(CHANNELS, '?key=bob');
    await open(CHANNELS, '?key=bob');
    await until(() => app.connections === 2);
    app.publish();
    await until(() => app.sent > 20);
    const last = await app.stopPublishing();
    for (const tab of tabs) expect(await tab.faults(last)).toEqual([]);
    expect(app.connections).toBe(2);
  });
});
