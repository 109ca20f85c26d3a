import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Cluster } from 'ioredis';
import { SseChannel } from '../../lib/index.js';
import { startCluster, type TestCluster } from '../redis/topologies.js';
import { closeApps, startApp } from '../support/start-app.js';

@Controller()
class RoomsController {
  @Sse('rooms/:room')
  @SseChannel('{room}')
  room() {}
}

describe('disconnect() in a Redis Cluster', () => {
  let servers: TestCluster;
  const clients: Cluster[] = [];

  beforeAll(async () => {
    servers = await startCluster();
  }, 60_000);

  afterEach(async () => {
    await closeApps();
    clients.splice(0).forEach((client) => client.disconnect());
  });

  afterAll(() => servers.stop());

  const start = () => {
    const redis = servers.client();
    clients.push(redis);
    return startApp({
      controllers: [RoomsController],
      options: {
        redis,
        broker: 'redis',
        revocation: true,
        readyTimeout: 30_000,
        client: ({ headers }: { headers: Record<string, string> }) => headers['x-user'],
      },
    });
  };

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
    expect(anns.flatMap(({ events }) => events)).toEqual([]);
    for (const { opened } of await of('ann')) {
      expect(opened.status).toBe(204);
    }
  });
});
