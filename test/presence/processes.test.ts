import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SseModuleOptions } from '../../lib/index.js';
import { SseTestClient } from '../../lib/testing/index.js';
import { endAppProcesses, startAppProcess } from '../redis/app-process.js';
import { bundled } from '../support/compiled.js';
import { closeApps, startApp } from '../support/start-app.js';
import { byHeader, RoomsController } from './rooms.js';
import { SYSTEMS, type System } from './systems.js';
import { expectByTurns, movesOf, untilPresent } from './watched.js';

const GRACE = { presenceGrace: 1_000, presenceTimeout: 3_000 };

describe.each(Object.keys(SYSTEMS))('Presence with processes by %s', (name) => {
  let system: System;
  let tests = 0;
  const clients: SseTestClient[] = [];

  beforeAll(async () => void (system = await SYSTEMS[name]!()));
  afterEach(async () => {
    tests++;
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await closeApps();
    await endAppProcesses();
  });
  afterAll(() => system.stop());

  const options = (): SseModuleOptions => ({
    ...system.options(`processes ${name} ${tests}`, false),
    ...GRACE,
  });

  /** An instance here that watches the channel, and another one in a process. */
  const start = async () => {
    const here = await startApp({
      controllers: [RoomsController],
      options: { ...options(), client: byHeader, failFast: true },
    });
    const watcher = await here.connect('/rooms/a');
    const there = await startAppProcess('', { SSE_OPTIONS: JSON.stringify(options()) }, [
      bundled('test/presence/app.ts'),
    ]);
    return { here, watcher, there };
  };

  const open = async (url: string, path: string, user: string) => {
    const client = await SseTestClient.connect(url + path, { headers: { 'x-user': user } });
    clients.push(client);
    return client;
  };

  it('has the members of a frozen instance leave and come back, and those of a killed one leave', async () => {
    const { here, watcher, there } = await start();
    const users = Array.from({ length: 20 }, (_, nth) => `user ${nth}`);
    await Promise.all(users.map((user) => open(there.url, '/announced/a', user)));
    await open(here.url, '/announced/a', 'user 0');
    await open(there.url, '/announced/b', 'user 1');
    const all = { ...Object.fromEntries(users.map((user) => [user, 1])), 'user 0': 2 };
    await untilPresent(here.sse, 'a', all);
    await untilPresent(here.sse, 'b', { 'user 1': 1 });
    const { pid } = (await (await fetch(`${there.url}/about`)).json()) as { pid: number };
    process.kill(pid, 'SIGSTOP');
    try {
      await untilPresent(here.sse, 'a', { 'user 0': 1 });
      await untilPresent(here.sse, 'b', {});
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await untilPresent(here.sse, 'a', all);
    await untilPresent(here.sse, 'b', { 'user 1': 1 });
    await there.end('SIGKILL');
    await untilPresent(here.sse, 'a', { 'user 0': 1 });
    await untilPresent(here.sse, 'b', {});
    // What is late would come before this.
    await here.sse.send('a', 'end');
    await watcher.until(({ data }) => data === 'end');
    await expectByTurns(watcher, { 'user 0': 1 });
    const moves = Object.values(movesOf(watcher.events));
    expect(moves.filter((each) => each !== '+-+-')).toEqual(['+']);
  });

  it('gives the clients of an instance that ends the time to return to another', async () => {
    const { here, watcher, there } = await start();
    const stays = await open(there.url, '/announced/a', 'stays');
    await open(there.url, '/announced/a', 'goes');
    await untilPresent(here.sse, 'a', { stays: 1, goes: 1 });
    void there.end('SIGTERM');
    await stays.closed;
    await open(here.url, '/announced/a', 'stays');
    await untilPresent(here.sse, 'a', { stays: 1 });
    await watcher.until(({ type }) => type === 'sse:leave');
    expect(movesOf(watcher.events)).toEqual({ stays: '+', goes: '+-' });
  });
});
