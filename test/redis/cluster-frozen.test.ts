import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { Cluster } from 'ioredis';
import { hashSlot } from '../../lib/sources/redis/hash-slot.js';
import { instance as keysInstance, type Instance as KeysInstance } from '../cache/redis-rig.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { instance, Recorded, stopInstances, withRedis, type Instance } from './instances.js';
import { startCluster, type TestCluster } from './topologies.js';

/*
 * A master is frozen, its replica takes its place, and the master comes back as the replica of
 * that one: what it had accepted and not handed on is lost. Readers have to be told of it.
 */

/** How long the master stays frozen; its replica needs about 2 s to take its place. */
const FROZEN_MS = sized({ quick: 3_000, soak: 8_000 });
const SLOTS_OF_FIRST = 5_461;

let servers: TestCluster;
const clients: Cluster[] = [];
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  servers = await startCluster();
});

afterEach(async () => {
  process.kill(frozenPid, 'SIGCONT');
  await Promise.all(ends.splice(0).map((end) => end()));
  await stopInstances();
  clients.splice(0).forEach((client) => client.disconnect());
});

afterAll(async () => {
  await servers.stop();
});

let frozenPid = process.pid;

function clusterClient(): Cluster {
  const client = servers.client();
  clients.push(client);
  return client;
}

async function keys(): Promise<KeysInstance> {
  const one = await keysInstance(clusterClient(), { auditInterval: 500 });
  ends.push(() => one.stop());
  return one;
}

/** Names whose slots the first master, or its replica, holds. */
function namesOfFirst(what: string, amount: number): string[] {
  const names: string[] = [];
  for (let n = 0; names.length < amount; n++) {
    const name = `${what} ${n}`;
    if (hashSlot(name) < SLOTS_OF_FIRST) names.push(name);
  }
  return names;
}

/** Which of the two holds the first slots, and which is its replica. */
async function roles() {
  const pair = [servers.masters[0]!, servers.replica];
  const isMaster = await Promise.all(
    pair.map(({ url }) =>
      withRedis(url, async (node) =>
        String(await node.info('replication')).includes('role:master'),
      ),
    ),
  );
  return isMaster[0]!
    ? { master: pair[0]!, replica: pair[1]! }
    : { master: pair[1]!, replica: pair[0]! };
}

interface Accepted {
  readonly text: string;
  readonly at: number;
}

/** Sends to each name every few milliseconds, and notes what was accepted. */
function load(names: readonly string[], send: (name: string, data: string) => Promise<unknown>) {
  const accepted = new Map(names.map((name) => [name, [] as Accepted[]]));
  const pending = new Set<Promise<unknown>>();
  let sent = 0;
  const timer = setInterval(() => {
    for (const name of names) {
      const text = `${sent++}`;
      const done = send(name, text).then(
        () => accepted.get(name)!.push({ text, at: performance.now() }),
        () => undefined,
      );
      pending.add(done);
      void done.finally(() => pending.delete(done));
    }
  }, 3);
  return {
    accepted,
    async stop() {
      clearInterval(timer);
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}

/** Notes when it was told that events may be missing. */
class TimedRecorder extends Recorded {
  readonly resetTimes: number[] = [];

  override reset(...args: Parameters<Recorded['reset']>): void {
    super.reset(...args);
    this.resetTimes.push(performance.now());
  }
}

/**
 * What was accepted and did not come, without a reset where it would have stood, or one that was
 * received later than it was accepted: who loads the state then, has it.
 */
function lostInSilence(accepted: readonly Accepted[], reader: TimedRecorder): readonly string[] {
  const seen = new Set(reader.data);
  const order = reader.data.map(Number);
  return accepted
    .filter(({ text, at }) => {
      const isTold = reader.resets.some(({ after }, n) => {
        const [before, behind] = [order[after - 1] ?? -1, order[after] ?? Infinity];
        const isThere = before < Number(text) && Number(text) < behind;
        return isThere || reader.resetTimes[n]! >= at;
      });
      return !seen.has(text) && !isTold;
    })
    .map(({ text }) => text);
}

/**
 * What came twice, with no reset between the two. The frozen master may have stored an event and told readers of it, but
 * not its sender, who then sends it again. The replica, which lacks the event, cannot know that.
 */
function repeatedWithoutReset({ data, resets }: Recorded): readonly string[] {
  return data.filter((text, index) => {
    const first = data.indexOf(text);
    return first < index && !resets.some(({ after }) => first < after && after <= index);
  });
}

it('Readers get a reset for events that a frozen master accepted and its replica lacks', async () => {
  const { master, replica } = await roles();
  const [channels, names] = [namesOfFirst('channel', 4), namesOfFirst('key', 4)];
  const [one, other]: Instance[] = [
    await instance(clusterClient(), { auditInterval: 500 }),
    await instance(clusterClient(), { auditInterval: 500 }),
  ];
  const [oneKeys, otherKeys] = [await keys(), await keys()];
  const readers = new Map([
    ...channels.map((name) => [name, new TimedRecorder(other!.broker, name)] as const),
    ...names.map((name) => {
      const reader = new TimedRecorder(otherKeys.source.with({ interval: 20 }), name);
      reader.feed.resume?.();
      return [name, reader] as const;
    }),
  ]);
  await until(() => [...readers.values()].every((reader) => reader.isLive));
  const loads = [
    load(channels, (name, data) => one!.broker.publish(name, { data })),
    load(names, (name, data) => oneKeys.source.sendKey(name, data)),
  ];
  await until(() => [...readers.values()].every((reader) => reader.events.length > 20));
  // The replica no longer follows, as when the network between the two is slow.
  process.kill(replica.pid, 'SIGSTOP');
  // Else it would find in its socket what the master has accepted meanwhile.
  await withRedis(master.url, (node) => node.call('CLIENT', 'KILL', 'TYPE', 'replica'));
  const followed = new Map([...readers].map(([name, reader]) => [name, reader.events.length]));
  await until(() =>
    [...readers].every(([name, reader]) => reader.events.length > followed.get(name)! + 80),
  );
  frozenPid = master.pid;
  process.kill(master.pid, 'SIGSTOP');
  const frozenAt = performance.now();
  process.kill(replica.pid, 'SIGCONT');
  await until(() =>
    withRedis(replica.url, async (node) =>
      String(await node.info('replication')).includes('role:master'),
    ),
  );
  await until(() => performance.now() - frozenAt > FROZEN_MS);
  process.kill(master.pid, 'SIGCONT');
  const before = new Map([...readers].map(([name, reader]) => [name, reader.events.length]));
  await until(() =>
    [...readers].every(([name, reader]) => reader.events.length > before.get(name)! + 20),
  );
  await Promise.all(loads.map((each) => each.stop()));
  await until(() =>
    [...readers].every(([name, reader]) => {
      const accepted = loads.flatMap((each) => each.accepted.get(name) ?? []);
      return reader.data.includes(accepted.at(-1)!.text);
    }),
  );
  const missing: Record<string, readonly string[]> = {};
  const repeated: Record<string, readonly string[]> = {};
  let lost = 0;
  for (const each of loads) {
    for (const [name, accepted] of each.accepted) {
      const reader = readers.get(name)!;
      lost += accepted.filter(({ text }) => !reader.data.includes(text)).length;
      const silent = lostInSilence(accepted, reader);
      if (silent.length > 0) missing[name] = silent;
      const again = repeatedWithoutReset(reader);
      if (again.length > 0) repeated[name] = again;
    }
  }
  expect(missing).toEqual({});
  expect(repeated).toEqual({});
  // Else nothing was tried.
  expect(lost).toBeGreaterThan(0);
});

it('Readers get the reset for a lost event before the next event', async () => {
  const one = await instance(clusterClient(), { auditInterval: 60_000 });
  const [channel] = namesOfFirst('announced', 1);
  const send = (data: string) => one.broker.publish(channel!, { data });
  await send('kept');
  const lost = await send('lost');
  const { master } = await roles();
  const stream = `sse:{${channel}}`;
  await withRedis(master.url, async (node) => {
    // As a replica that has not got the last call knows it.
    const [marker] = await node.keys(`${stream}:from:*`);
    const [, number, answers] = /^(\d+)( .*)$/s.exec((await node.get(marker!))!)!;
    await node.set(marker!, `${Number(number) - 1}${answers}`);
    await node.xdel(stream, lost);
  });
  await send('next');
  await send('last');
  const entries = await withRedis(master.url, (node) => node.xrange(stream, '-', '+'));
  expect(entries.map(([, fields]) => fields[3])).toEqual(['', 'kept', 'failover', 'next', 'last']);
  await one.stop();
  const lines = one.log.lines.filter((line) => line.includes('lost entries'));
  expect(lines).toEqual([
    expect.stringMatching(/^The stream sse:\{announced \d+\} has lost entries: /),
  ]);
});
