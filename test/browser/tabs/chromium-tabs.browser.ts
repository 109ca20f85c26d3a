import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { freePort } from '../../support/free-port.js';
import { startRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';
import { Chromium, type ChromiumTab } from './chromium.js';
import { ClientTab } from './tab.js';
import { TabsApp, tabScript } from './tabs-app.js';

const CHANNELS = Array.from({ length: 20 }, (_, at) => `numbers:${at}`);

/** A name that is no secure context, though it leads to this machine. */
const INSECURE_HOST = 'insecure.test';

describe('tabs of Chromium', () => {
  let script: string;
  let browser: Chromium;
  let app: TabsApp;
  let tabs: ClientTab<ChromiumTab>[];

  beforeAll(async () => {
    script = await tabScript();
    browser = await Chromium.start(`--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`);
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

  async function open(url = app.page(), first?: string): Promise<void> {
    const tab = new ClientTab(await browser.open(url, first), CHANNELS);
    tabs.push(tab);
    await tab.begin();
  }

  const hasLeader = () =>
    until(
      async () => {
        const shown = await Promise.all(tabs.map((tab) => tab.shown()));
        return shown.some(({ isLeader }) => isLeader);
      },
      { every: 20, what: 'a leader' },
    );

  /** The tab that leads, of those that are open; it is no longer among them. */
  async function takeLeader(): Promise<ChromiumTab> {
    const at = await until(
      async () => {
        const shown = await Promise.all(tabs.map((tab) => tab.shown()));
        return shown.findIndex(({ isLeader }) => isLeader) + 1;
      },
      { every: 20, what: 'a leader' },
    );
    const [leader] = tabs.splice(at - 1, 1);
    return leader!.tab;
  }

  async function sendMore(count = 50): Promise<void> {
    const { sent } = app;
    await until(() => app.sent > sent + count, { what: `${count} more numbers` });
  }

  /** Expects that no tab lacks or repeats a number, and that one connection brings them. */
  async function expectWhole(): Promise<void> {
    const last = await app.stopPublishing();
    for (const tab of tabs) expect(await tab.faults(last)).toEqual([]);
    await until(() => app.connections === 1, { what: 'one connection at the server' });
  }

  /** Tells how long the tabs were without a leader: a figure to look at, which depends on the machine. */
  async function tell(what: string, since: number): Promise<void> {
    const measured = await Promise.all(
      tabs.map(({ tab }) => tab.run<{ first: number }>(`tab.measured(${since})`)),
    );
    console.log(`${what}: events again after ${measured.map(({ first }) => first).join(', ')} ms`);
  }

  /** Waits until all tabs have what has been sent until now. */
  async function arrive(): Promise<void> {
    const { sent } = app;
    for (const tab of tabs) expect(await tab.faults(sent)).toEqual([]);
  }

  it('lose and repeat nothing when the process of the tab that leads is killed', async () => {
    for (let n = 0; n < 4; n++) await open();
    app.publish();
    for (let n = 0; n < 2; n++) {
      await sendMore();
      const leader = await takeLeader();
      const killed = await leader.process();
      const since = Date.now();
      process.kill(killed, 'SIGKILL');
      await hasLeader();
      await sendMore();
      await arrive();
      await tell('After a crash', since);
    }
    await expectWhole();
  });

  it('lose and repeat nothing when the tab that leads is closed', async () => {
    for (let n = 0; n < 4; n++) await open();
    app.publish();
    await sendMore();
    const leader = await takeLeader();
    const since = Date.now();
    await leader.close();
    await hasLeader();
    await sendMore();
    await arrive();
    await tell('After a close', since);
    await expectWhole();
  });

  it('lose and repeat nothing when the tab that leads is frozen, and when it wakes', async () => {
    for (let n = 0; n < 3; n++) await open();
    app.publish();
    await sendMore();
    const leader = await takeLeader();
    const since = Date.now();
    await leader.freeze(true);
    await hasLeader();
    await sendMore();
    await arrive();
    await tell('After freezing', since);
    await leader.freeze(false);
    await sendMore();
    await expectWhole();
    expect(await faultsOf(leader)).toEqual([]);
  });

  it('replace a leader whose process stands still, and take it back when it goes on', async () => {
    for (let n = 0; n < 3; n++) await open();
    app.publish();
    await sendMore();
    const leader = await takeLeader();
    const stopped = await leader.process();
    const since = Date.now();
    process.kill(stopped, 'SIGSTOP');
    try {
      await hasLeader();
      await sendMore();
      await arrive();
      await tell('After standing still', since);
    } finally {
      process.kill(stopped, 'SIGCONT');
    }
    await sendMore();
    await expectWhole();
    expect(await faultsOf(leader)).toEqual([]);
    const shown = await Promise.all(tabs.map((tab) => tab.shown()));
    expect(shown.filter(({ isLeader }) => isLeader)).toHaveLength(1);
  });

  /** What is wrong in a tab that had led: it is to have what all have. */
  async function faultsOf(leader: ChromiumTab): Promise<string[]> {
    const tab = new ClientTab(leader, CHANNELS);
    expect((await tab.shown()).isLeader).toBe(false);
    return tab.faults(app.sent);
  }

  it('go on after the server was restarted', async () => {
    const redis = await startRedis();
    try {
      const options = { redis: redis.url, broker: 'redis' as const };
      const port = await freePort();
      await app.close();
      app = await TabsApp.start(script, CHANNELS, options, port);
      for (let n = 0; n < 3; n++) await open();
      app.publish();
      await sendMore();
      const sent = await app.stopPublishing();
      await app.close();
      app = await TabsApp.start(script, CHANNELS, options, port);
      app.sent = sent;
      app.publish();
      await sendMore();
      await expectWhole();
      await app.close();
      app = await TabsApp.start(script, CHANNELS);
    } finally {
      await redis.stop();
    }
  });

  it('bring many events at once to each tab', async () => {
    for (let n = 0; n < 8; n++) await open();
    await Promise.all(Array.from({ length: 500 }, () => app.sendNumber()));
    await expectWhole();
  });

  describe('that cannot share', () => {
    const cases = [
      ['a browser without Web Locks', 'delete Navigator.prototype.locks', /Web Locks/],
      [
        'a browser without BroadcastChannel',
        'delete globalThis.BroadcastChannel',
        /BroadcastChannel/,
      ],
      [
        'an origin that may not have locks',
        "LockManager.prototype.request = () => Promise.reject(new DOMException('No.', 'SecurityError'))",
        /forbids/,
      ],
    ] as const;

    it.each(cases)('have a connection each, and say so: %s', (_what, change, reason) =>
      expectAlone(app.page(), reason, change),
    );

    it('have a connection each, and say so: a page that is no secure context', () =>
      expectAlone(app.page().replace('127.0.0.1', INSECURE_HOST), /secure context/));

    async function expectAlone(url: string, reason: RegExp, first?: string): Promise<void> {
      for (let n = 0; n < 2; n++) await open(url, first);
      app.publish();
      await sendMore();
      const last = await app.stopPublishing();
      for (const tab of tabs) {
        expect(await tab.faults(last)).toEqual([]);
        expect((await tab.shown()).fallbacks).toEqual([expect.stringMatching(reason)]);
      }
      expect(app.connections).toBe(2);
    }
  });
});
