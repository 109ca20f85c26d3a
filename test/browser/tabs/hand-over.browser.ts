import type { Server } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { until } from '../../support/until.js';
import { TAB_BROWSERS } from './tab-browsers.js';
import { processesOf } from './tab-process.js';
import { CHANNELS, TabsRig } from './tabs-rig.js';

describe.each(TAB_BROWSERS)(
  'tabs of $name, when the leader changes,',
  ({ start, outlivesCrash, keepsPages }) => {
    const rig = new TabsRig(start);

    it('lose and repeat nothing when the tab that leads is closed', async () => {
      await rig.openMany(4);
      rig.app.publish();
      for (let n = 0; n < 3; n++) {
        await rig.sendMore(20);
        const first = await rig.takeLeader();
        const since = Date.now();
        await first.tab.close();
        await rig.leader();
        await rig.sendMore(20);
        await rig.arrive();
        await rig.tell('After a close', since);
      }
      await rig.expectWhole();
    });

    it('lose and repeat nothing when the tab that leads goes elsewhere', async () => {
      await rig.openMany(3);
      rig.app.publish();
      await rig.sendMore(20);
      const first = await rig.takeLeader();
      await first.tab.go(`${rig.app.app.url}/elsewhere`);
      await rig.leader();
      await rig.sendMore(20);
      await rig.expectWhole();
      await first.tab.close();
    });

    it('lose and repeat nothing when the tab that leads is reloaded', async () => {
      await rig.openMany(3, '?keep');
      rig.app.publish();
      await rig.sendMore(20);
      const first = await rig.leader();
      await first.tab.reload();
      await first.want(CHANNELS);
      await rig.sendMore(20);
      await rig.expectWhole();
    });

    async function crash(): Promise<void> {
      await rig.openMany(4);
      rig.app.publish();
      await rig.sendMore();
      const first = await rig.takeLeader();
      const killed = await first.tab.process();
      const since = Date.now();
      process.kill(killed, 'SIGKILL');
      await rig.leader();
      await rig.sendMore();
      await rig.arrive();
      await rig.tell('After a crash', since);
      await rig.expectWhole();
      await first.tab.close().catch(() => undefined);
    }

    if (outlivesCrash) {
      it('lose and repeat nothing when the process of the tab that leads is killed', crash);
    }

    it('replace a leader whose process stands still, and take it back when it goes on', async () => {
      await rig.openMany(3);
      rig.app.publish();
      await rig.sendMore();
      const first = await rig.takeLeader();
      const stopped = await first.tab.process();
      const since = Date.now();
      process.kill(stopped, 'SIGSTOP');
      try {
        await rig.leader();
        await rig.sendMore();
        await rig.arrive();
        await rig.tell('After standing still', since);
      } finally {
        process.kill(stopped, 'SIGCONT');
      }
      await rig.sendMore();
      rig.tabs.push(first);
      await rig.expectWhole();
      await rig.onlyOneLeads();
    });

    it('go on after all of the browser has stood still, as in a computer that sleeps', async () => {
      await rig.openMany(3);
      rig.app.publish();
      await rig.sendMore();
      const processes = [rig.browser.pid, ...(await processesOf(rig.browser.pid))];
      for (const pid of processes) process.kill(pid, 'SIGSTOP');
      try {
        (rig.app.app.app.getHttpServer() as Server).closeAllConnections();
        await rig.connections(0);
        await rig.sendMore();
      } finally {
        for (const pid of processes) process.kill(pid, 'SIGCONT');
      }
      await rig.sendMore();
      await rig.expectWhole();
      await rig.onlyOneLeads();
    });

    it('lose and repeat nothing when the tab that leads goes back to its page', async () => {
      await rig.openMany(3, '?keep');
      rig.app.publish();
      await rig.sendMore();
      const first = await rig.takeLeader();
      await first.tab.go(`${rig.app.app.url}/elsewhere`);
      await rig.leader();
      await rig.sendMore();
      await first.tab.back();
      await until(() => first.tab.run('typeof tab === "object"'), { what: 'the page' });
      const { returns } = await first.shown();
      expect(returns).toBe(keepsPages ? 1 : 0);
      if (returns === 0) await first.want(CHANNELS);
      await rig.sendMore();
      rig.tabs.push(first);
      await rig.expectWhole();
      await rig.onlyOneLeads();
    });
  },
);
