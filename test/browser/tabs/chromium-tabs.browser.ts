import type { Server } from 'node:http';
import { describe, it } from '@jest/globals';
import { freePort } from '../../support/free-port.js';
import { startRedis } from '../../support/redis.js';
import { Chromium } from './chromium.js';
import { TabsApp } from './tabs-app.js';
import { CHANNELS, TabsRig } from './tabs-rig.js';

/** A name that is no secure context, though it leads to this machine. */
const INSECURE_HOST = 'insecure.test';

describe('tabs of Chromium', () => {
  const flags = [`--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`];
  const rig = new TabsRig(() => Chromium.start({ flags, hasInternalPages: true }));

  it('lose and repeat nothing when the tab that leads is frozen, and when it wakes', async () => {
    await rig.openMany(3);
    rig.app.publish();
    await rig.sendMore();
    const first = await rig.takeLeader();
    const since = Date.now();
    await first.tab.freeze(true);
    await rig.leader();
    await rig.sendMore();
    await rig.arrive();
    await rig.tell('After freezing', since);
    await first.tab.freeze(false);
    await rig.sendMore();
    rig.tabs.push(first);
    await rig.expectWhole();
    await rig.onlyOneLeads();
  });

  it('lose and repeat nothing when the browser discards the tab that leads', async () => {
    await rig.openMany(3);
    rig.app.publish();
    await rig.sendMore();
    const first = await rig.takeLeader();
    const since = Date.now();
    await first.tab.discard();
    await rig.leader();
    await rig.sendMore();
    await rig.arrive();
    await rig.tell('After discarding', since);
    await rig.expectWhole();
  });

  it('go on after the server was restarted', async () => {
    const redis = await startRedis();
    try {
      const options = { redis: redis.url, broker: 'redis' as const };
      const port = await freePort();
      const restart = async (): Promise<void> => {
        const sent = await rig.app.stopPublishing();
        await rig.app.close();
        rig.app = await TabsApp.start(rig.scripts, CHANNELS, options, port);
        rig.app.sent = sent;
      };
      await restart();
      await rig.openMany(3);
      rig.app.publish();
      await rig.sendMore();
      await restart();
      rig.app.publish();
      await rig.sendMore();
      await rig.expectWhole();
      await rig.app.close();
      rig.app = await TabsApp.start(rig.scripts, CHANNELS);
    } finally {
      await redis.stop();
    }
  });

  it('lose and repeat nothing when the network goes away and comes back', async () => {
    await rig.openMany(3);
    rig.app.publish();
    await rig.sendMore();
    for (const { tab } of rig.tabs) await tab.offline(true);
    (rig.app.app.app.getHttpServer() as Server).closeAllConnections();
    await rig.connections(0);
    for (const tab of rig.tabs) {
      await tab.shows(({ statuses }) => statuses.at(-1) !== 'open', 'that it is offline');
    }
    await rig.sendMore();
    for (const { tab } of rig.tabs) await tab.offline(false);
    await rig.sendMore();
    await rig.expectWhole();
    await rig.onlyOneLeads();
  });

  it('bring many events at once to each tab', async () => {
    await rig.openMany(8);
    await Promise.all(Array.from({ length: 500 }, () => rig.app.sendNumber()));
    await rig.expectWhole();
  });

  it('have a connection each, and say so: no secure context', () =>
    rig.expectAlone(rig.app.page().replace('127.0.0.1', INSECURE_HOST), /no secure context/));
});
