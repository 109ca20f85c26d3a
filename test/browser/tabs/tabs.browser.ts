import { describe, expect, it } from '@jest/globals';
import { Random } from '../../channel/random.js';
import { until } from '../../support/until.js';
import { TAB_BROWSERS } from './tab-browsers.js';
import { CHANNELS, FORBIDDEN, TabsRig } from './tabs-rig.js';

describe.each(TAB_BROWSERS)('tabs of $name', ({ start }) => {
  const rig = new TabsRig(start);

  it.each([1, 2, 8])('have one connection: %d tabs with 20 channels each', async (count) => {
    rig.app.publish();
    await rig.openMany(count);
    await rig.connections(1);
    for (const tab of rig.tabs)
      await tab.shows(({ channels }) => channels[CHANNELS[0]!]!.last > 0, 'events');
    await rig.expectWhole();
    const shown = await Promise.all(rig.tabs.map((tab) => tab.shown()));
    expect(shown.filter(({ isLeader }) => isLeader)).toHaveLength(1);
    expect(shown.flatMap(({ fallbacks }) => fallbacks)).toEqual([]);
  });

  it('begin where each of them wants to', async () => {
    rig.app.publish();
    await rig.open();
    await until(() => rig.app.sent > 50);
    const late = await rig.open(CHANNELS, '', 'earliest');
    await until(() => rig.app.sent > 100);
    await rig.expectWhole();
    const { channels } = await late.shown();
    expect(CHANNELS.map((name) => channels[name]!.first)).toEqual(CHANNELS.map(() => 1));
  });

  it('add and remove channels in a tab that does not lead', async () => {
    rig.app.publish();
    await rig.open(CHANNELS.slice(0, 2));
    const second = await rig.open(CHANNELS.slice(1, 3));
    await rig.sendMore(20);
    await second.want(CHANNELS.slice(1, 5));
    await second.shows(({ channels }) => channels[CHANNELS[4]!]?.last, 'a new channel');
    await second.want(CHANNELS.slice(3, 5));
    await rig.sendMore(20);
    const last = await rig.app.stopPublishing();
    const { channels } = await second.shows(
      (shown) => CHANNELS.slice(3, 5).every((name) => shown.channels[name]!.last === last),
      'the last number in the channels that are left',
    );
    expect(Object.values(channels).every(({ isWhole }) => isWhole)).toBe(true);
    expect(channels[CHANNELS[1]!]!.last).toBeLessThan(last);
    expect(await rig.tabs[0]!.faults(last)).toEqual([]);
    await rig.connections(1);
  });

  it('hear what is denied and what ends, in each tab that wants it', async () => {
    await rig.open(['numbers:0', 'numbers:1']);
    await rig.open(['numbers:0']);
    for (const tab of rig.tabs) {
      await tab.want(['numbers:0', 'secret', 'secret:2']);
      await tab.shows(({ channels }) => channels['secret']?.denied, 'a channel denied');
    }
    await rig.app.sendNumber();
    await rig.app.app.sse.complete('numbers:0');
    for (const tab of rig.tabs) {
      const { channels } = await tab.shows(
        (shown) => shown.channels['numbers:0']!.ended,
        'the end',
      );
      expect(channels['numbers:0']).toMatchObject({ last: 1, isWhole: true, ended: 1 });
      expect(channels['secret']).toMatchObject({ denied: 1 });
    }
    await rig.connections(0);
  });

  it('share by key only', async () => {
    await rig.open(CHANNELS, '?key=ada');
    await rig.open(CHANNELS, '?key=bob');
    await rig.open(CHANNELS, '?key=bob');
    await rig.connections(2);
    rig.app.publish();
    await rig.sendMore(20);
    const last = await rig.app.stopPublishing();
    for (const tab of rig.tabs) expect(await tab.faults(last)).toEqual([]);
    expect(rig.app.connections).toBe(2);
  });

  it('have a connection for each of two versions that say other things to each other', async () => {
    await rig.openMany(2);
    for (let n = 0; n < 2; n++) await rig.openPage(rig.app.page('', 'next'));
    rig.app.publish();
    await rig.sendMore(20);
    const first = await rig.takeLeader();
    await first.tab.close();
    await rig.sendMore(20);
    await rig.expectWhole(2);
    const shown = await Promise.all(rig.tabs.map((tab) => tab.shown()));
    expect(shown.filter(({ isLeader }) => isLeader)).toHaveLength(2);
    expect(shown.flatMap(({ fallbacks }) => fallbacks)).toEqual([]);
  });

  it('lose and repeat nothing in 100 changes under load', async () => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`SEED=${seed}`);
    const random = new Random(seed);
    await rig.openMany(3);
    rig.app.publish();
    for (let change = 0; change < 100; change++) {
      const tab = rig.tabs[random.below(rig.tabs.length)]!;
      const name = CHANNELS[random.below(CHANNELS.length)]!;
      tab.names = tab.names.includes(name)
        ? tab.names.filter((each) => each !== name)
        : [...tab.names, name];
      await tab.want(tab.names);
      await rig.sendMore(random.below(4));
    }
    for (const tab of rig.tabs) {
      tab.names = CHANNELS;
      await tab.begin();
    }
    await rig.sendMore();
    await rig.expectWhole();
  });

  it.each([
    ['Web Locks', '?without=locks', /no Web Locks/],
    ['BroadcastChannel', '?without=BroadcastChannel', /no BroadcastChannel/],
  ])('have a connection each, and say so: without %s', (_what, query, reason) =>
    rig.expectAlone(rig.app.page(query), reason),
  );

  it('have a connection each, and say so: in a sandbox', () =>
    rig.expectAlone(rig.app.page('', 'sandboxed'), FORBIDDEN));
});
