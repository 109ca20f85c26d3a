import { describe, expect, it } from '@jest/globals';
import { clusterRig } from '../redis/cluster-rig.js';
import { closeApps, startApp } from '../support/start-app.js';
import { byUser, RoomsController } from './rooms.js';

describe('disconnect() in a Redis Cluster', () => {
  const cluster = clusterRig(closeApps);

  const start = () =>
    startApp({
      controllers: [RoomsController],
      options: {
        redis: cluster.client(),
        broker: 'redis',
        revocation: true,
        readyTimeout: 30_000,
        client: byUser,
      },
    });

  it("ends a client's streams on every instance and node, and blocks it", async () => {
    const apps = [await start(), await start()];
    const rooms = ['a', 'b', 'c', 'd'];
    const of = (user: string) =>
      Promise.all(
        apps.flatMap((app) =>
          rooms.map((room) => app.connect(`/rooms/${room}`, { headers: { 'x-user': user } })),
        ),
      );
    const anns = await of('ann');
    const bobs = await of('bob');
    await apps[1]!.sse.disconnect({ client: 'ann' }, { block: 60_000 });
    await Promise.all(anns.map(({ closed }) => closed));
    for (const room of rooms) {
      await apps[0]!.sse.send(room, 'after');
    }
    for (const bob of bobs) {
      expect((await bob.next()).data).toBe('after');
    }
    // They receive nothing but the end.
    expect(anns.map(({ events }) => events.map(({ type }) => type))).toEqual(
      anns.map(() => ['sse:end']),
    );
    for (const { opened } of await of('ann')) {
      expect(opened.status).toBe(204);
    }
  });
});
