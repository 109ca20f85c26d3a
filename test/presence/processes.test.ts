import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SseModuleOptions } from '../../lib/index.js';
import { SseTestClient } from '../../lib/testing/index.js';
import { endAppProcesses, startAppProcess } from '../redis/app-process.js';
import { compiled } from '../support/compiled.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
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
      compiled('test/presence/app.ts'),
    ]);
    return { here, watcher, there };
  };

  const open = async (url: string, path: string, user: string) => {
    const client = await SseTestClient.connect(url + path, { headers: { 'x-user': user } });
    clients.push(client);
    return client;
  };

  const about = async (url: string) =>
    (await (await fetch(`${url}/about`)).json()) as { pid: number; told: string[] };

  it('has the members of a killed instance leave, once', async () => {
    const { here, watcher, there } = await start();
    const users = Array.from({ length: 30 }, (_, nth) => `user ${nth}`);
    await Promise.all(users.map((user) => open(there.url, '/announced/a', user)));
    await open(here.url, '/announced/a', 'user 0');
    await open(there.url, '/announced/b', 'user 1');
    const all = Object.fromEntries(users.map((user) => [user, 1]));
    await untilPresent(here.sse, 'a', { ...all, 'user 0': 2 });
    await untilPresent(here.sse, 'b', { 'user 1': 1 });
    await there.end('SIGKILL');
    await untilPresent(here.sse, 'a', { 'user 0': 1 });
    await untilPresent(here.sse, 'b', {});
    await until(() => Object.values(movesOf(watcher.events)).join('').length === 59);
    // What is late would come before this.
    await here.sse.send('a', 'end');
    await watcher.until(({ data }) => data === 'end');
    expectByTurns(watcher, { 'user 0': 1 });
  });

  it('has the members of a frozen instance leave, and come back with it', async () => {
    const { here, watcher, there } = await start();
    await open(there.url, '/announced/a', 'ann');
    await open(there.url, '/announced/a', 'bob');
    await untilPresent(here.sse, 'a', { ann: 1, bob: 1 });
    const { pid } = await about(there.url);
    process.kill(pid, 'SIGSTOP');
    try {
      await untilPresent(here.sse, 'a', {});
      await clients[1]!.close();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await untilPresent(here.sse, 'a', { ann: 1 });
    await until(async () => (await about(there.url)).told.length >= 1);
    await here.sse.send('a', 'end');
    await watcher.until(({ data }) => data === 'end');
    expectByTurns(watcher, { ann: 1 });
    expect(movesOf(watcher.events)['ann']).toBe('+-+');
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

  it('tells a hook of the first and the last reader once, on one instance', async () => {
    const { here, there } = await start();
    const other = await startAppProcess('', { SSE_OPTIONS: JSON.stringify(options()) }, [
      compiled('test/presence/app.ts'),
    ]);
    const first = await open(there.url, '/present/a', 'ann');
    await untilPresent(here.sse, 'a', { ann: 1 });
    const last = await open(other.url, '/present/a', 'bob');
    await untilPresent(here.sse, 'a', { ann: 1, bob: 1 });
    await first.close();
    await untilPresent(here.sse, 'a', { bob: 1 });
    await last.close();
    await until(async () => (await about(other.url)).told.length === 1);
    expect((await about(there.url)).told).toEqual(['occupied a']);
    expect((await about(other.url)).told).toEqual(['vacated a']);
  });
});
