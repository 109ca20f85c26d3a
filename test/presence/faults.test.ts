import { Injectable } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  OnSseOccupied,
  OnSseVacated,
  type SseModuleOptions,
  type SseOccupied,
  type SseVacated,
} from '../../lib/index.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { withRedis } from '../redis/instances.js';
import { Random } from '../channel/random.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { errorLog } from '../support/error-log.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { byHeader, RoomsController } from './rooms.js';
import { SYSTEMS, type System } from './systems.js';
import { expectByTurns, untilPresent } from './watched.js';

let told: string[] = [];

@Injectable()
class Occupancy {
  @OnSseOccupied()
  @OnSseVacated()
  any({ type, channel }: SseOccupied | SseVacated) {
    told.push(`${type} ${channel}`);
  }
}

describe.each(Object.keys(SYSTEMS))('Presence through faults by %s', (name) => {
  let system: System;
  let tests = 0;

  beforeAll(async () => void (system = await SYSTEMS[name]!()));
  afterEach(async () => {
    tests++;
    system.proxy.cutAt(undefined);
    system.proxy.accept();
    system.proxy.thaw();
    await closeApps();
  });
  afterAll(() => system.stop());

  const start = (proxied = false, options: SseModuleOptions = {}) =>
    startApp({
      controllers: [RoomsController],
      providers: [Occupancy],
      options: {
        ...system.options(`faults ${name} ${tests}`, proxied),
        client: byHeader,
        failFast: true,
        presenceGrace: 0,
        ...options,
      },
    });

  const as = (app: TestApp, user: string, path = '/announced/a') =>
    app.connect(path, { headers: { 'x-user': user } });

  it('tells a hook of the first and the last reader once, on the instance that had it', async () => {
    const [one, other] = [await start(), await start()];
    told = [];
    const first = await as(one, 'ann', '/present/hooks');
    await untilPresent(other.sse, 'hooks', { ann: 1 });
    const last = await as(other, 'bob', '/present/hooks');
    await untilPresent(one.sse, 'hooks', { ann: 1, bob: 1 });
    await first.close();
    await untilPresent(other.sse, 'hooks', { bob: 1 });
    await last.close();
    await until(() => told.length >= 2);
    expect(told).toEqual(['occupied hooks', 'vacated hooks']);
  });

  it('tells the info of the newest connection that is open', async () => {
    const [one, other] = [await start(), await start()];
    const ann = (info: number) =>
      one.connect('/announced/a', { headers: { 'x-user': 'ann', 'x-info': `${info}` } });
    const shows = (info: number, connections: number) =>
      until(async () => {
        const [member] = (await other.sse.presence('a')).members;
        return member?.info === info && member.connections === connections;
      });
    await ann(1);
    await shows(1, 1);
    const newer = await ann(2);
    await shows(2, 2);
    await newer.close();
    await shows(1, 1);
  });

  it('lets a client leave at once that disconnect() sends away, from whatever instances', async () => {
    const options = { presenceGrace: 60_000, revocation: true };
    const [one, other] = [await start(false, options), await start(false, options)];
    const watcher = await as(one, 'watcher', '/rooms/a');
    await Promise.all([as(one, 'ann'), as(other, 'ann'), as(other, 'bob')]);
    await untilPresent(one.sse, 'a', { ann: 2, bob: 1 });
    await one.sse.disconnect({ client: 'ann' });
    await untilPresent(one.sse, 'a', { bob: 1 });
    await other.sse.send('a', 'end');
    await watcher.until(({ data }) => data === 'end');
    await expectByTurns(watcher, { bob: 1 });
  });

  it('tells each change once when answers are lost', async () => {
    const [one, cut] = [await start(), await start(true)];
    const watcher = await as(one, 'watcher', '/rooms/a');
    told = [];
    for (let round = 0; round < sized({ quick: 6, soak: 60 }); round++) {
      const ann = await as(cut, 'ann');
      await untilPresent(one.sse, 'a', { ann: 1 });
      await until(() => told.length === 1);
      // The next answer to a change is lost, whatever comes with it.
      let isCut = false;
      system.proxy.freeze();
      await ann.close();
      await until(() => cut.sse.connections().length === 0);
      setTimeout(() => {
        isCut = true;
        system.proxy.thaw();
        system.proxy.cut();
      }, 20);
      await until(() => isCut);
      await untilPresent(one.sse, 'a', {});
      await until(() => told.length === 2);
      expect(told.splice(0)).toEqual(['occupied a', 'vacated a']);
    }
    await one.sse.send('a', 'end');
    await watcher.until(({ data }) => data === 'end');
    await expectByTurns(watcher, {});
  });

  it('tells each change once when answers are cut at any byte', async () => {
    const [one, cut] = [await start(), await start(true)];
    const watcher = await as(one, 'watcher', '/rooms/a');
    let bytes = 0;
    system.proxy.cutAt(() => {
      let left = (bytes += 397) % 6_000;
      return (chunk) => {
        if (left > chunk.length) {
          left -= chunk.length;
          return -1;
        }
        return left;
      };
    });
    system.proxy.cut();
    const clients: SseTestClient[] = [];
    for (let round = 0; round < sized({ quick: 15, soak: 200 }); round++) {
      clients.push(await as(cut, `user ${round}`));
      if (clients.length > 5) {
        await clients.shift()!.close();
      }
    }
    system.proxy.cutAt(undefined);
    await until(() => cut.sse.connections().length === clients.length);
    const present = Object.fromEntries(
      cut.sse.connections().map(({ client }) => [client!, 1] as const),
    );
    await untilPresent(one.sse, 'a', present);
    await one.sse.send('a', 'end');
    await watcher.until(({ data }) => data === 'end');
    await expectByTurns(watcher, present);
  });

  it('lists everybody again after the system has lost all', async () => {
    const apps = [await start(), await start(true)] as const;
    await Promise.all([
      as(apps[0], 'ann'),
      as(apps[1], 'ann'),
      as(apps[1], 'bob'),
      as(apps[1], 'eve', '/present/b'),
    ]);
    await untilPresent(apps[0].sse, 'a', { ann: 2, bob: 1 });
    await untilPresent(apps[0].sse, 'b', { eve: 1 });
    await system.forget();
    // The instance behind the proxy hears of it by its connection, the other one by its next beat.
    system.proxy.cut();
    await untilPresent(apps[0].sse, 'a', { ann: 2, bob: 1 });
    await untilPresent(apps[1].sse, 'b', { eve: 1 });
  });

  it('lists at rest who is connected, after random moves of clients and cuts of connections', async () => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`SEED=${seed}`);
    const random = new Random(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random.next() * items.length)]!;
    const options = { presenceGrace: 30 };
    const apps = [
      await start(false, options),
      await start(true, options),
      await start(true, options),
    ];
    const watchers = await Promise.all(
      ['a', 'b'].map((room) => as(apps[0]!, 'w', `/rooms/${room}`)),
    );
    const open: SseTestClient[] = [];
    const moves = sized({ quick: 150, soak: 5_000 });
    const nextMove = random.deck([
      ...Array.from({ length: 9 }, () => ['come', 'go'] as const).flat(),
      'cut' as const,
      'wait' as const,
    ]);
    for (let nth = 0; nth < moves; nth++) {
      const move = nextMove();
      if (move === 'come') {
        const path = `/announced/${pick(['a', 'b'])}`;
        open.push(await as(pick(apps), `user ${Math.floor(random.next() * 8)}`, path));
      } else if (move === 'go' && open.length > 0) {
        const [client] = open.splice(Math.floor(random.next() * open.length), 1);
        await client!.close();
      } else if (move === 'cut') {
        system.proxy.cut();
      } else {
        await new Promise((resolve) => setTimeout(resolve, random.next() * 60));
      }
    }
    const count = () => apps.reduce((sum, { sse }) => sum + sse.stats().connections, 0);
    await until(() => count() === open.length + watchers.length);
    for (const [nth, room] of ['a', 'b'].entries()) {
      const present: Record<string, number> = {};
      for (const app of apps) {
        for (const { client } of app.sse.connections({ channel: room, limit: 1_000 })) {
          if (client !== 'w') present[client!] = (present[client!] ?? 0) + 1;
        }
      }
      await untilPresent(apps[1]!.sse, room, present);
      await apps[0]!.sse.send(room, 'end');
      await watchers[nth]!.until(({ data }) => data === 'end');
      await expectByTurns(watchers[nth]!, present);
    }
  });
});

describe('Presence that Redis refuses', () => {
  let redis: RedisServer;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(async () => {
    jest.restoreAllMocks();
    await closeApps();
    await redis.stop();
  });

  it('has a client leave that has left meanwhile, once Redis permits it', async () => {
    const allow = (...rights: string[]) =>
      withRedis(redis.url, async (client) => {
        await client.call('ACL', 'SETUSER', 'default', ...rights);
      });
    const { lines, logger } = errorLog();
    const { connect, sse } = await startApp({
      controllers: [RoomsController],
      options: {
        broker: 'redis',
        redis: redis.url,
        client: byHeader,
        presenceGrace: 0,
        presenceTimeout: 3_000,
      },
      logger,
    });
    const as = (user: string) => connect('/announced/a', { headers: { 'x-user': user } });
    const watcher = await connect('/rooms/a');
    const [ann, bob] = [await as('ann'), await as('bob')];
    await untilPresent(sse, 'a', { ann: 1, bob: 1 });
    await allow('-hdel');
    await Promise.all([ann.close(), bob.close()]);
    await until(() => lines.some((line) => line.includes('does not permit')));
    await allow('+hdel');
    await as('bob');
    await untilPresent(sse, 'a', { bob: 1 });
    await watcher.until(({ type, data }) => type === 'sse:leave' && data.includes('ann'));
  });
});
