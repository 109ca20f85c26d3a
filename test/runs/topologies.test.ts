import { describe, expect, it } from '@jest/globals';
import { clusterRig } from '../redis/cluster-rig.js';
import { instance, stopInstances, withRedis } from '../redis/instances.js';
import { inStep, startSentinelGroup } from '../redis/topologies.js';
import type { RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { answered, newRun, RunRecorder, textOf, whole, write } from './store-writer.js';

const CHANNELS = Array.from({ length: 12 }, (_, nth) => `chat:${nth}`);
const COUNT = 300;

describe('Runs in a Redis Cluster', () => {
  const cluster = clusterRig(stopInstances);

  const open = async () => {
    const { broker } = await instance(cluster.client());
    return broker.openRuns();
  };

  const start = async () => {
    const [owner, reader] = [await open(), await open()];
    const runs = CHANNELS.map((channel) => newRun(channel));
    for (const run of runs) {
      await answered(() => owner.begin(run));
    }
    const recorders = runs.map((run) => new RunRecorder(reader, run));
    await until(() => recorders.every(({ reads }) => reads > 0));
    return { owner, runs, recorders };
  };

  it('lose nothing while the slots of some move to another node and back', async () => {
    const { owner, runs, recorders } = await start();
    const writing = Promise.all(runs.map((run) => write(owner, run, COUNT)));
    const key = 'sse:{chat:3}';
    const from = await cluster.servers.ownerOf(key);
    const to = cluster.servers.masters.find((server) => server !== from)!;
    await until(() => recorders[3]!.texts.length > 10);
    await cluster.servers.migrate(key, to);
    const at = recorders[3]!.texts.length;
    await until(() => recorders[3]!.texts.length > at);
    await cluster.servers.migrate(key, from);
    expect(await writing).toEqual(runs.map(() => 'appended'));
    await until(() => recorders.every(({ isOver }) => isOver));
    for (const { texts } of recorders) {
      expect(texts).toEqual(whole(COUNT));
    }
  });

  it('begin, one of two at a time, in channels whose newest run has lost its record', async () => {
    const [one, two] = [await open(), await open()];
    const client = cluster.client();
    for (let nth = 0; nth < 12; nth++) {
      const channel = `unrecorded:${nth}`;
      const lost = newRun(channel);
      expect(await answered(() => one.begin(lost))).toMatchObject({ id: lost.id });
      const record = `sse:{${channel}}:run:${lost.id}`;
      expect(await client.del(record)).toBe(1);
      if (nth % 2 > 0) {
        await client.set(record, 'of another program');
      }
      const runs = [newRun(channel), newRun(channel)];
      const begun = await Promise.all([one.begin(runs[0]!), two.begin(runs[1]!)]);
      expect(new Set(begun.map(({ id }) => id)).size).toBe(1);
      expect(runs.map(({ id }) => id)).toContain(begun[0]!.id);
    }
  });

  it('go on when a replica takes over, or are gone where it lacks a chunk', async () => {
    const { owner, runs, recorders } = await start();
    const writing = Promise.all(runs.map((run) => write(owner, run, COUNT)));
    await until(() => recorders.every(({ texts }) => texts.length > 20));
    const [first] = cluster.servers.masters as [RedisServer];
    const isOfFirst = await Promise.all(
      runs.map(
        async ({ channel }) => (await cluster.servers.ownerOf(`sse:{${channel}}`)) === first,
      ),
    );
    expect(new Set(isOfFirst).size).toBe(2);
    await first.kill();
    const results = await writing;
    await until(() =>
      recorders.every(
        ({ isOver, texts }, nth) => isOver || (results[nth] === 'gone' && texts.length > 0),
      ),
    );
    results.forEach((result, nth) => {
      const { texts } = recorders[nth]!;
      if (result === 'appended') {
        expect(texts).toEqual(whole(COUNT));
      } else {
        expect([result, isOfFirst[nth]]).toEqual(['gone', true]);
        expect(texts).toEqual(texts.map((_, place) => textOf(place + 1)));
      }
    });
    await first.start();
  });
});

describe('Runs with Sentinel', () => {
  it('are gone for their owner and their readers after a failover that lost chunks', async () => {
    const group = await startSentinelGroup();
    try {
      const [owner, reader] = [
        (await instance(group.options)).broker.openRuns(),
        (await instance(group.options)).broker.openRuns(),
      ];
      const [kept, lost] = [newRun('kept'), newRun('lost')];
      const chunk = { data: textOf(1) };
      for (const run of [kept, lost]) {
        await answered(() => owner.begin(run));
        await answered(() => owner.append({ ...run, after: 0, chunks: [chunk] }));
      }
      const recorders = [kept, lost].map((run) => new RunRecorder(reader, run));
      const [master, replica] = group.servers as [RedisServer, RedisServer];
      // The replica misses what follows.
      await inStep(master);
      process.kill(replica.pid, 'SIGSTOP');
      await withRedis(master.url, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'replica'));
      await owner.append({ ...lost, after: 1, chunks: [{ data: textOf(2) }] });
      await until(() => recorders[1]!.texts.length === 2);
      await master.kill();
      process.kill(replica.pid, 'SIGCONT');
      const append = (run: typeof kept, after: number) =>
        answered(() => owner.append({ ...run, after, chunks: [{ data: textOf(after + 1) }] }));
      expect(await append(lost, 2)).toBe('gone');
      await until(() => recorders[1]!.isGone);
      expect(await append(kept, 1)).toBe('appended');
      await until(() => recorders[0]!.texts.length === 2);
      expect(recorders.map(({ texts }) => texts)).toEqual([
        whole(2).slice(0, 2),
        whole(2).slice(0, 2),
      ]);
    } finally {
      await stopInstances();
      await group.stop();
    }
  });
});
