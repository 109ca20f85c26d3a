import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Chromium } from '../browser/tabs/chromium.js';
import { TabsApp } from '../browser/tabs/tabs-app.js';
import { CHANNELS, TabsRig } from '../browser/tabs/tabs-rig.js';
import { freePort } from '../support/free-port.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { PROXY_KINDS } from './proxy-kinds.js';
import { startProxyServer, type RunningProxy } from './proxy-server.js';

const KINDS = PROXY_KINDS.filter(({ name }) => name === 'nginx' || name === 'HAProxy');

// `npm run test:proxies` says so when there is none.
if (process.env['CHROMIUM']) describe.each(KINDS)('tabs of Chromium through $name', throughProxy);

function throughProxy(kind: (typeof KINDS)[number]): void {
  const rig = new TabsRig(() => Chromium.start({ flags: ['--ignore-certificate-errors'] }));
  let redis: RedisServer;
  let proxy: RunningProxy;
  let port: number;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());
  beforeEach(async () => {
    port = await freePort();
    await restart();
    proxy = await startProxyServer(kind, port, { isSecure: true });
  });
  afterEach(() => proxy?.stop());

  /** Ends the application, and starts one that knows its events in its place. */
  async function restart(): Promise<void> {
    const sent = await rig.app.stopPublishing();
    await rig.app.close();
    const options = { redis: redis.url, broker: 'redis', heartbeat: 400 } as const;
    rig.app = await TabsApp.start(rig.scripts, CHANNELS, options, port);
    rig.app.sent = sent;
  }

  it('lose and repeat nothing by HTTP/2 over restarts, and when the tab that leads is closed', async () => {
    for (let n = 0; n < 4; n++) await rig.openPage(`${proxy.url}/tab`);
    const protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol";
    expect(await rig.tabs[0]!.tab.run(protocol)).toBe('h2');
    for (let n = 0; n < 2; n++) {
      rig.app.publish();
      await rig.sendMore(20);
      await (await rig.takeLeader()).tab.close();
      await rig.leader();
      await rig.sendMore(20);
      await restart();
    }
    rig.app.publish();
    await rig.sendMore(20);
    await rig.expectWhole();
  });
}
