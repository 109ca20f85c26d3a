import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { SseChannel } from '../../lib/index.js';
import { startPostgres } from '../support/postgres.js';
import { startCluster, startSentinelGroup } from '../redis/topologies.js';
import { startRedis } from '../support/redis.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startHealthApp, statesIn } from './health-app.js';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  await closeApps();
  for (const end of ends.splice(0).reverse()) {
    await end();
  }
});

async function redis() {
  const server = await startRedis();
  ends.push(() => server.stop());
  return server;
}

async function postgres() {
  const server = await startPostgres();
  ends.push(() => server.stop());
  return server;
}

@Controller()
class RowsController {
  @Sse('rows')
  @SseChannel('rows', { source: 'postgres' })
  rows() {}
}

@Controller()
class KeysController {
  @Sse('key')
  @SseChannel('key', { source: 'cache', interval: 20 })
  key() {}
}

describe.each(ADAPTERS)('The health of an application on %s', (adapter) => {
  it('with everything in memory is good, and names no system', async () => {
    const app = await startHealthApp({}, { adapter });
    for (const check of ['ready', 'live'] as const) {
      const { status, body } = await app.health(check);
      expect(status).toBe(200);
      expect(body.details.sse).toEqual({ status: 'up', stopping: false, systems: {} });
    }
  });

  it('follows Redis: not ready while it is away, and live all the time', async () => {
    const server = await redis();
    const app = await startHealthApp({ redis: server.url, broker: 'redis' }, { adapter });
    expect(statesIn(await app.untilHealth('ready', 200))).toEqual({ redis: 'up' });
    const client = await app.connect('/events/1');
    for (const round of [1, 2]) {
      await server.stopServer();
      const away = await app.untilHealth('ready', 503);
      expect(away.body.details.sse.message).toMatch(/^redis is away for \d+ s\.$/);
      expect(statesIn(away)).toEqual({ redis: 'away' });
      const live = await app.health('live');
      expect([live.status, statesIn(live)]).toEqual([200, { redis: 'away' }]);
      await server.start();
      await app.untilHealth('ready', 200);
      // What comes before the subscription is back is told by a reset.
      await until(async () => {
        await app.sse.send('events:1', `round ${round}`);
        return client.events.some(({ data }) => data === `round ${round}`);
      });
    }
  });

  it('follows the event table, which Postgres holds', async () => {
    const server = await postgres();
    const app = await startHealthApp(
      { postgres: server.url, broker: 'event-table', eventTable: { install: true } },
      { adapter },
    );
    expect(statesIn(await app.untilHealth('ready', 200))).toEqual({
      postgres: 'idle',
      'event-table': 'up',
    });
    await server.stopServer();
    const away = await app.untilHealth('ready', 503);
    expect(statesIn(away)).toEqual({ postgres: 'idle', 'event-table': 'away' });
    expect((await app.health('live')).status).toBe(200);
    await server.startServer();
    await app.untilHealth('ready', 200);
  });
});

describe('Readiness', () => {
  it('waits for a Redis that is not there at the start', async () => {
    const server = await redis();
    await server.stopServer();
    const app = await startHealthApp({ redis: server.url, broker: 'redis' });
    const first = await app.health('ready');
    expect(first.status).toBe(503);
    expect(['starting', 'away']).toContain(statesIn(first)['redis']);
    expect((await app.health('live')).status).toBe(200);
    await server.start();
    await app.untilHealth('ready', 200);
  });

  it('notices a Redis that answers no more and closes nothing', async () => {
    const server = await redis();
    const app = await startHealthApp({ redis: server.url, broker: 'redis' });
    await app.connect('/events/1');
    await app.untilHealth('ready', 200);
    ends.push(() => process.kill(server.pid, 'SIGCONT'));
    process.kill(server.pid, 'SIGSTOP');
    await app.untilHealth('ready', 503);
    process.kill(server.pid, 'SIGCONT');
    await app.untilHealth('ready', 200);
  });

  it('waits for a Postgres that is not there at the start', async () => {
    const server = await postgres();
    await server.stopServer();
    const app = await startHealthApp({
      postgres: server.url,
      broker: 'event-table',
      eventTable: { install: true },
    });
    expect((await app.health('ready')).status).toBe(503);
    await server.startServer();
    await app.untilHealth('ready', 200);
  });

  it('knows nothing of LISTEN before the first stream, and follows it from then on', async () => {
    const server = await postgres();
    const app = await startHealthApp({ postgres: server.url }, { controllers: [RowsController] });
    expect(statesIn(await app.health('ready'))).toEqual({ postgres: 'idle' });
    await app.connect('/rows');
    await until(async () => statesIn(await app.health('ready'))['postgres'] === 'up');
    await server.killServer();
    await app.untilHealth('ready', 503);
    await server.startServer();
    expect(statesIn(await app.untilHealth('ready', 200))).toEqual({ postgres: 'up' });
  });

  it('follows a client of the application, which may connect at its first command', async () => {
    const server = await redis();
    const client = new Redis(server.url, { lazyConnect: true });
    client.on('error', () => undefined);
    ends.push(() => client.disconnect());
    const app = await startHealthApp({ redis: client });
    expect(statesIn(await app.untilHealth('ready', 200))).toEqual({ redis: 'up' });
    await server.kill();
    expect(statesIn(await app.untilHealth('ready', 503))).toEqual({ redis: 'away' });
    await server.start();
    await app.untilHealth('ready', 200);
  });

  it('follows a cache of the application while its keys are polled', async () => {
    const server = await redis();
    const client = new Redis(server.url, { maxRetriesPerRequest: 0 });
    client.on('error', () => undefined);
    ends.push(() => client.disconnect());
    const cache = {
      get: (key: string) => client.get(key),
      set: (key: string, value: string) => client.set(key, value),
      del: (key: string) => client.del(key),
    };
    const app = await startHealthApp({ cache }, { controllers: [KeysController] });
    expect(statesIn(await app.health('ready'))).toEqual({ cache: 'idle' });
    const reader = await app.connect('/key');
    await until(async () => statesIn(await app.health('ready'))['cache'] === 'up');
    await server.kill();
    expect(statesIn(await app.untilHealth('ready', 503))).toEqual({ cache: 'away' });
    await server.start();
    expect(statesIn(await app.untilHealth('ready', 200))).toEqual({ cache: 'up' });
    await reader.close();
  });

  it('follows Sentinel to the next master', async () => {
    const sentinel = await startSentinelGroup();
    ends.push(() => sentinel.stop());
    const app = await startHealthApp({ redis: sentinel.options, broker: 'redis' });
    await app.untilHealth('ready', 200);
    await app.connect('/events/1');
    const master = await sentinel.master();
    await master.kill();
    await app.untilHealth('ready', 503);
    await sentinel.failover().catch(() => undefined);
    await app.untilHealth('ready', 200);
  });

  it('fails while a node of a Cluster is away that has channels of open streams', async () => {
    const cluster = await startCluster(1);
    ends.push(() => cluster.stop());
    const client = cluster.client();
    ends.push(() => client.disconnect());
    const app = await startHealthApp({ redis: client, broker: 'redis' });
    await app.untilHealth('ready', 200);
    await Promise.all(Array.from({ length: 12 }, (_, id) => app.connect(`/events/${id}`)));
    // The one with the replica is another: nobody takes the place of this one.
    const [lost] = cluster.masters;
    await lost!.kill();
    await app.untilHealth('ready', 503);
    await lost!.start();
    await app.untilHealth('ready', 200);
  });
});
