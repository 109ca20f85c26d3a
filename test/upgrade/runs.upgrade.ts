import { kill } from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { endAppProcesses, type AppProcess } from '../redis/app-process.js';
import { whole } from '../runs/store-writer.js';
import { createDatabase } from '../support/databases.js';
import { startRedis } from '../support/redis.js';
import { until } from '../support/until.js';
import { olderVersion, WHOLE_RUN_FOLLOWED } from './older-version.js';
import { startVersion, TODAY, told } from './rolling.js';
import { expectCut, follow, isOver, readByTurns, textsOf } from './run-readers.js';
import type { OwnRun } from './runs-app.js';

const VERSIONS = { older: olderVersion(WHOLE_RUN_FOLLOWED), today: TODAY };
type Version = keyof typeof VERSIONS;

const SYSTEMS = {
  async Redis() {
    const server = await startRedis();
    return { env: { REDIS_URL: server.url }, stop: () => server.stop() };
  },
  async 'the event table'() {
    const database = await createDatabase();
    return {
      env: { REDIS_URL: '', POSTGRES_URL: database.url },
      stop: () => database.drop(),
    };
  },
};

const STOPPED = 'sse:stopped {"reason":"by a user"}';
const REPLACED = 'sse:stopped {"reason":"replaced"}';
const LOST = 'sse:error {"reason":"lost","message":"The process that generated this has stopped."}';

let channels = 0;
const newChannel = (): string => `${++channels}`;

const begin = (one: AppProcess, channel: string, query: string) =>
  told<{ id: string }>(one, `begin/${channel}?${query}`);

describe.each(Object.keys(SYSTEMS) as (keyof typeof SYSTEMS)[])('Runs in %s', (name) => {
  let system: Awaited<ReturnType<(typeof SYSTEMS)[typeof name]>>;
  let instances: Record<Version, AppProcess>;

  const start = (version: Version) =>
    startVersion(VERSIONS[version], system.env, 'test/upgrade/runs-app.ts');

  beforeAll(async () => {
    system = await SYSTEMS[name]();
    instances = { older: await start('older'), today: await start('today') };
  });

  afterAll(async () => {
    await endAppProcesses();
    await system.stop();
  });

  describe.each([
    ['older', 'today'],
    ['today', 'older'],
  ] as const)('begun by an instance of %s, beside one of %s', (version, otherVersion) => {
    /** Begins a run and follows it from instances of these versions, twice from the other one. */
    async function begun(owner: AppProcess, query: string, versions = [version, otherVersion]) {
      const channel = newChannel();
      const other = instances[otherVersion];
      const { id } = await begin(owner, channel, query);
      const places = [...versions.map((one) => instances[one]), other];
      const clients = await Promise.all(places.map((one) => follow(one, channel, id)));
      const hear = (count: number) =>
        until(() => clients.every(({ events }) => events.length >= count));
      const own = () => told<OwnRun>(owner, `own/${id}`);
      return { channel, id, other, clients, hear, own };
    }

    /** Stops a run, and waits until its own instance has aborted its source. */
    async function stop(one: AppProcess, channel: string, own: () => Promise<OwnRun>) {
      const answer = await told<{ stopped: boolean; at: number }>(one, `stop/${channel}`);
      expect(answer.stopped).toBe(true);
      const { abortedAt, reason } = await until(async () => {
        const state = await own();
        return state.reason !== '' && state;
      });
      expect(reason).toBe('stopped');
      expect(abortedAt).toBeGreaterThan(0);
      console.log(`${name}, ${version}: aborted ${abortedAt - answer.at} ms after stop()`);
    }

    it('come whole to those who follow and who move between them', async () => {
      const count = 1_500;
      const owner = instances[version];
      const run = await begun(owner, `count=${count}&burst=7&every=15`);
      const { channel, id, clients } = run;
      const both = [instances.older, instances.today];
      const walks = await Promise.all([
        readByTurns(both, channel, `${id}.0`),
        readByTurns([...both].reverse(), channel, `${id}.0`),
      ]);
      await until(() => clients.every(isOver));
      const texts = [...clients.map(textsOf), ...walks.map((walk) => walk.texts)];
      expect(texts).toEqual(texts.map(() => whole(count)));
      walks.forEach(({ returns }) => expect(returns).toBeGreaterThan(10));
      await until(async () => (await run.own()).reason === 'completed');
      // Whoever comes later reads it from the store, on either.
      const later = await Promise.all(both.map((one) => follow(one, channel, id)));
      await until(() => later.every(isOver));
      expect(later.map(textsOf)).toEqual([whole(count), whole(count)]);
    });

    it('end when the other one stops them', async () => {
      const { channel, id, other, clients, hear, own } = await begun(
        instances[version],
        'count=100000&every=5',
      );
      await hear(50);
      await stop(other, channel, own);
      await until(() => clients.every(isOver));
      const texts = expectCut(clients, STOPPED);
      // Nothing follows the end, on either.
      for (const one of Object.values(instances)) {
        const last = await follow(one, channel, id, texts.length);
        expect(last.opened.status).toBe(204);
        const again = await follow(one, channel, id);
        await again.closed;
        expect(textsOf(again)).toEqual(texts);
      }
    });

    it('end while they are silent, when the other one stops them', async () => {
      const { channel, other, clients, hear, own } = await begun(
        instances[version],
        'count=100&every=600000&burst=5&lease=6000',
      );
      await hear(5);
      await stop(other, channel, own);
      await until(() => clients.every(isOver));
      expect(expectCut(clients, STOPPED)).toHaveLength(7);
    });

    it('give way when the other one begins a run that replaces them', async () => {
      const owner = instances[version];
      const { channel, other, clients, hear, own } = await begun(owner, 'count=100000&every=5');
      await hear(20);
      const next = await begin(other, channel, 'count=60&every=5&replace');
      await until(() => clients.every(isOver));
      expectCut(clients, REPLACED);
      const followers = await Promise.all(
        [owner, other].map((one) => follow(one, channel, next.id)),
      );
      await until(() => followers.every(isOver));
      expect(followers.map(textsOf)).toEqual([whole(60), whole(60)]);
      await until(async () => (await own()).reason === 'stopped');
    });

    it('are told as lost by the other one when their own is killed, or frozen', async () => {
      for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
        const owner = await start(version);
        const { channel, id, other, clients, hear, own } = await begun(
          owner,
          'count=100000&every=5&lease=2500',
          // Nobody else can tell.
          [otherVersion],
        );
        await hear(20);
        kill(owner.pid, signal);
        await until(() => clients.every(isOver));
        const texts = expectCut(clients, LOST);
        const next = await begin(other, channel, 'count=20');
        if (signal === 'SIGSTOP') {
          kill(owner.pid, 'SIGCONT');
          await until(async () => (await own()).reason === 'lost');
        }
        const again = await follow(other, channel, id);
        await again.closed;
        expect(textsOf(again)).toEqual(texts);
        const follower = await follow(other, channel, next.id);
        await until(() => isOver(follower));
        expect(textsOf(follower)).toEqual(whole(20));
        await owner.end('SIGKILL');
      }
    });

    it('are lost without a follower as well, and free the channel for the other one', async () => {
      const owner = await start(version);
      const channel = newChannel();
      const { id } = await begin(owner, channel, 'count=100000&every=5&lease=2500');
      const first = await follow(owner, channel, id);
      await until(() => first.events.length > 20);
      await first.close();
      await owner.end('SIGKILL');
      const other = instances[otherVersion];
      const next = await until(() => begin(other, channel, 'count=20').catch(() => undefined));
      const clients = await Promise.all([id, next.id].map((run) => follow(other, channel, run)));
      await until(() => clients.every(isOver));
      expectCut(clients.slice(0, 1), LOST);
      expect(textsOf(clients[1]!)).toEqual(whole(20));
    });

    it('go on while their own is shut down, and its clients follow at the other one', async () => {
      const count = 600;
      const owner = await start(version);
      const { channel, id, other, clients, hear } = await begun(owner, `count=${count}&every=5`);
      const client = await follow(owner, channel, id);
      await hear(20);
      const ended = owner.end('SIGTERM');
      await client.closed;
      expect(isOver(client)).toBe(false);
      const { texts } = await readByTurns([other], channel, client.lastEventId!);
      await until(() => clients.every(isOver));
      const all = [[...textsOf(client), ...texts], ...clients.map(textsOf)];
      expect(all).toEqual(all.map(() => whole(count)));
      await ended;
    });
  });

  it('begin once, whichever instance is first', async () => {
    let refused = 0;
    const winners = { older: 0, today: 0 };
    for (let nth = 0; nth < 30; nth++) {
      const channel = newChannel();
      const tries = (['older', 'today', 'today', 'older'] as const).map(async (version) => {
        const answer = await fetch(`${instances[version].url}/begin/${channel}?count=5&every=20`);
        const body = (await answer.json()) as { id?: string; runId?: string };
        return { version, status: answer.status, ...body };
      });
      const answers = await Promise.all(tries);
      const [winner, ...others] = answers.sort((a, b) => a.status - b.status);
      expect(answers.map(({ status }) => status)).toEqual([200, 409, 409, 409]);
      expect(others.map(({ runId }) => runId)).toEqual(others.map(() => winner!.id));
      winners[winner!.version]++;
      refused += others.length;
      const clients = await Promise.all(
        Object.values(instances).map((one) => follow(one, channel, winner!.id!)),
      );
      await until(() => clients.every(isOver));
      expect(clients.map(textsOf)).toEqual([whole(5), whole(5)]);
    }
    console.log(`${name}: begun by`, winners);
    expect(refused).toBe(90);
  });
});
