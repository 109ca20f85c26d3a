import { describe, expect, it } from '@jest/globals';
import type { Cluster } from 'ioredis';
import { clusterRig } from '../redis/cluster-rig.js';
import { withRedis } from '../redis/instances.js';
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

  it('lists everybody again after somebody has emptied one node after the other', async () => {
    const [here, there] = [await start(), await start()];
    await Promise.all(ROOMS.map((room) => as(here, 'ann', `/announced/${room}`)));
    await Promise.all(ROOMS.map((room) => as(there, 'bob', `/announced/${room}`)));
    for (const { url } of cluster.servers.masters) {
      await untilAllPresent(here, { ann: 1, bob: 1 });
      await withRedis(url, (node) => node.flushall());
    }
    await untilAllPresent(there, { ann: 1, bob: 1 });
  });
});
