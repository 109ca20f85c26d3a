import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { instance, stopInstances } from './instances.js';
import { expectContinuity, startLoad } from './load.js';
import { startSentinelGroup, type SentinelGroup } from './topologies.js';

const CHANNELS = ['a', 'b', 'c'];

describe('With Sentinel', () => {
  let group: SentinelGroup;

  beforeAll(async () => {
    group = await startSentinelGroup();
  });

  afterEach(stopInstances);

  afterAll(async () => {
    await group.stop();
  });

  it('send() resolves once a replica has the event, and rejects when there is none', async () => {
    const one = await instance(group.options, { minReplicas: 1, replicaTimeout: 4_000 });
    const there = one.open('replicated');
    await until(() => there.isLive);
    const sends = ['1', '2', '3'].map((data) => one.broker.publish('replicated', { data }));
    await expect(Promise.all(sends)).resolves.toHaveLength(3);
    const strict = await instance(group.options, { minReplicas: 2, replicaTimeout: 100 });
    await expect(strict.broker.publish('replicated', { data: '4' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('1 of 2 replicas'),
    });
  });

  it.each(['planned', 'after the master was killed'])(
    'readers lose nothing without a reset in a failover: %s',
    async (how) => {
      const options = { retain: { events: 50_000 } };
      const instances = [
        await instance(group.options, options),
        await instance(group.options, options),
      ];
      const recorded = instances.flatMap((one) => CHANNELS.map((channel) => one.open(channel)));
      await until(() => recorded.every((one) => one.isLive));
      const load = startLoad(() => instances, CHANNELS);
      await until(() => load.sent > sized({ quick: 500, soak: 5_000 }));
      if (how === 'planned') {
        await group.failover();
      } else {
        const before = await group.master();
        await before.kill();
        await until(async () => (await group.master()) !== before);
      }
      const sent = load.sent;
      await until(() => load.sent > sent + 1_000);
      await load.stop();
      for (const [n, one] of recorded.entries()) {
        await expectContinuity(one, load, CHANNELS[n % CHANNELS.length]!);
      }
      expect(load.rejected).toBe(0);
    },
    90_000,
  );
});
