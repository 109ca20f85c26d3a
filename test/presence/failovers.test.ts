import { afterEach, describe, expect, it } from '@jest/globals';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { FAILOVER_SYSTEMS, type FailoverSystem } from './failover-systems.js';
import { byHeader, RoomsController } from './rooms.js';
import { expectByTurnsOrReset, movesOf, untilPresent } from './watched.js';

/** In a Cluster some are on each node. */
const ROOMS = ['a', 'b', 'c', 'd', 'e', 'f'];

/** A client in all rooms. */
async function inAll(app: TestApp, user: string, path = 'announced') {
  const clients = await Promise.all(
    ROOMS.map((room) =>
      app.connect(`/${path}/${room}`, { headers: { 'x-user': user }, deadline: 60_000 }),
    ),
  );
  return { clients, leave: () => Promise.all(clients.map((client) => client.close())) };
}

describe.each(Object.keys(FAILOVER_SYSTEMS))('Presence through a failover of %s', (name) => {
  let system: FailoverSystem;

  afterEach(async () => {
    await closeApps();
    await system.stop();
  });

  const start = () =>
    startApp({
      controllers: [RoomsController],
      options: {
        ...system.options(),
        client: byHeader,
        failFast: true,
        presenceGrace: 0,
        presenceTimeout: 3_000,
      },
    });

  it.each([
    ['keeps all', false],
    ['loses who has come and gone last', true],
  ])('that %s: the list is right, and each move told once or by a reset', async (_, isLossy) => {
    system = await FAILOVER_SYSTEMS[name]!();
    const apps = [await start(), await start()];
    const [here, there] = apps as [TestApp, TestApp];
    const untilAll = (present: Record<string, number>) =>
      Promise.all(apps.flatMap(({ sse }) => ROOMS.map((room) => untilPresent(sse, room, present))));
    const watchers = (
      await Promise.all(apps.map(async (app) => (await inAll(app, 'w', 'rooms')).clients))
    ).flat();
    await inAll(there, 'stays');
    await Promise.all(apps.map((app) => inAll(app, 'both')));
    const goes = await inAll(here, 'goes');
    const late = await inAll(there, 'late');
    await untilAll({ stays: 1, both: 2, goes: 1, late: 1 });
    await until(() => watchers.every(({ events }) => Object.keys(movesOf(events)).length === 4));
    if (isLossy) {
      await system.lag();
    }
    const back = await inAll(there, 'back');
    await Promise.all([goes.leave(), back.leave(), inAll(here, 'new')]);
    await untilAll({ stays: 1, both: 2, late: 1, new: 1 });
    // Some come and go while there is no server.
    const [during] = await Promise.all([inAll(here, 'during'), late.leave(), system.failover()]);
    expect(during.clients.every(({ isOpen }) => isOpen)).toBe(true);
    const present = { stays: 1, both: 2, new: 1, during: 1 };
    await untilAll(present);
    // A reset that comes after the first `end` tells of it as well, so each watcher gets another one.
    const hasEnd = ({ events }: (typeof watchers)[number]) =>
      events.findLastIndex(({ data }) => data === 'end') >
      events.findLastIndex(({ type }) => type === 'sse:reset');
    await until(
      async () => {
        await Promise.allSettled(ROOMS.map((room) => here.sse.send(room, 'end')));
        return watchers.every(hasEnd);
      },
      { every: 100 },
    );
    for (const watcher of watchers) {
      await expectByTurnsOrReset(watcher, present);
    }
    await untilAll(present);
  });
});
