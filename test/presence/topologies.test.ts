import { afterEach, describe, expect, it } from '@jest/globals';
import type { Cluster } from 'ioredis';
import { clusterRig } from '../redis/cluster-rig.js';
import { withRedis } from '../redis/instances.js';
import { startSentinelGroup } from '../redis/topologies.js';
import type { RedisServer } from '../support/redis.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { byHeader, RoomsController } from './rooms.js';
import { movesOf, untilPresent } from './watched.js';

const as = (app: TestApp, user: string, path = '/announced/a') =>
  app.connect(path, { headers: { 'x-user': user } });

const ROOMS = ['a', 'b', 'c', 'd', 'e', 'f'];

describe('Presence in a Redis Cluster', () => {
  const cluster = clusterRig(closeApps);

  const start = (redis: Cluster = cluster.client()) =>
    startApp({
      controllers: [RoomsController],
      options: {
        redis,
        broker: 'redis',
        redisStreams: { auditInterval: 1_000 },
        readyTimeout: 30_000,
        client: byHeader,
        presenceGrace: 0,
        presenceTimeout: 3_000,
      },
    });

  const untilAllPresent = (app: TestApp, present: Record<string, number>) =>
    Promise.all(ROOMS.map((room) => untilPresent(app.sse, room, present)));

  it('knows who is where on every node, and removes those of a dead instance', async () => {
    const lost = cluster.client();
    const [here, there] = [await start(), await start(lost)];
    const watchers = await Promise.all(ROOMS.map((room) => as(here, 'w', `/rooms/${room}`)));
    const join = (app: TestApp, user: string) =>
      Promise.all(ROOMS.map((room) => as(app, user, `/announced/${room}`)));
    await join(here, 'ann');
    await join(there, 'ann');
    await join(there, 'bob');
    await untilAllPresent(here, { ann: 2, bob: 1 });
    // From here on the instance is dead for all others.
    lost.disconnect();
    await untilAllPresent(here, { ann: 1 });
    await until(() => watchers.every(({ events }) => events.length === 3));
    for (const watcher of watchers) {
      expect(movesOf(watcher.events)).toEqual({ ann: '+', bob: '+-' });
    }
  });

  it('lists everybody again after a node has lost what it had', async () => {
    const [here, there] = [await start(), await start()];
    await Promise.all(ROOMS.map((room) => as(here, 'ann', `/announced/${room}`)));
    await Promise.all(ROOMS.map((room) => as(there, 'bob', `/announced/${room}`)));
    await untilAllPresent(here, { ann: 1, bob: 1 });
    for (const server of cluster.servers.masters) {
      await server.kill();
      await server.start();
    }
    await untilAllPresent(there, { ann: 1, bob: 1 });
  });
});

describe('Presence with Sentinel', () => {
  afterEach(closeApps);

  it('is right after a failover that lost who has come and who has gone', async () => {
    const group = await startSentinelGroup();
    try {
      const start = () =>
        startApp({
          controllers: [RoomsController],
          options: {
            redis: group.options,
            broker: 'redis',
            client: byHeader,
            presenceGrace: 0,
            presenceTimeout: 3_000,
          },
        });
      const [here, there] = [await start(), await start()];
      const watcher = await as(here, 'w', '/rooms/a');
      const gone = await as(here, 'gone');
      await as(there, 'stays');
      await untilPresent(here.sse, 'a', { gone: 1, stays: 1 });
      const [master, replica] = group.servers as [RedisServer, RedisServer];
      // The replica misses what follows.
      await until(() =>
        withRedis(master.url, async (redis) => Number(await redis.call('WAIT', 1, 100)) === 1),
      );
      process.kill(replica.pid, 'SIGSTOP');
      await withRedis(master.url, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'replica'));
      await gone.close();
      await as(here, 'new');
      await untilPresent(here.sse, 'a', { new: 1, stays: 1 });
      await master.kill();
      process.kill(replica.pid, 'SIGCONT');
      await untilPresent(here.sse, 'a', { new: 1, stays: 1 });
      await here.sse.send('a', 'end');
      await watcher.until(({ data }) => data === 'end');
    } finally {
      await closeApps();
      await group.stop();
    }
  });
});
