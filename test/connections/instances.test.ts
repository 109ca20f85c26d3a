import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SseModuleOptions, SseService } from '../../lib/index.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { withRedis } from '../redis/instances.js';
import { connect, stopAll } from '../event-table/event-table-rig.js';
import { createDatabase } from '../support/databases.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { startRedis } from '../support/redis.js';
import { closeApps, startApp, type Adapter, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { byUser, RoomsController } from './rooms.js';

/** A system that carries commands from instance to instance. */
interface System {
  /** Behind the proxy, or straight. */
  options(proxied: boolean): SseModuleOptions;
  readonly proxy: TcpProxy;
  /** Loses everything that it holds. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

let prefix = 0;

const SYSTEMS: Record<string, () => Promise<System>> = {
  async redis() {
    const redis = await startRedis();
    const proxy = await startProxy(redis);
    return {
      proxy,
      options: (proxied) => ({
        broker: 'redis',
        redis: proxied ? proxy.url(redis.url) : redis.url,
        redisStreams: { prefix: `test${prefix}:`, auditInterval: 500 },
      }),
      forget: () => withRedis(redis.url, async (client) => void (await client.flushall())),
      async stop() {
        await proxy.close();
        await redis.stop();
      },
    };
  },
  async 'event-table'() {
    const database = await createDatabase();
    const proxy = await startProxy({ port: Number(new URL(database.url).port) });
    return {
      proxy,
      options: (proxied) => ({
        broker: 'event-table',
        postgres: proxied ? proxy.url(database.url) : database.url,
        eventTable: { install: true },
      }),
      async forget() {
        const client = await connect(database.url);
        await client.query('truncate sse.event restart identity');
      },
      async stop() {
        await proxy.close();
        await database.drop();
      },
    };
  },
};

/** Sends numbered events to a channel until it is stopped. */
class Publisher {
  /** How many were given to `send()`. */
  sent = 0;
  /** How many of them the broker has. */
  taken = 0;
  private isStopped = false;
  private readonly running: Promise<void>;

  constructor(sse: SseService, channel: string) {
    this.running = this.run(sse, channel);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
  }

  private async run(sse: SseService, channel: string): Promise<void> {
    while (!this.isStopped) {
      await sse.send(channel, `${this.sent++}`);
      this.taken++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

const lastOf = ({ events }: SseTestClient): number =>
  Number(events.findLast(({ type }) => type !== 'sse:end')?.data ?? -1);

describe.each(Object.keys(SYSTEMS))('disconnect() across instances by %s', (name) => {
  let system: System;
  let publisher: Publisher | undefined;
  beforeAll(async () => void (system = await SYSTEMS[name]!()));
  afterEach(async () => {
    system.proxy.accept();
    await publisher?.stop();
    publisher = undefined;
    prefix++;
    await closeApps();
    await stopAll();
  });
  afterAll(() => system.stop());

  const start = (proxied = false, options: SseModuleOptions = {}, adapter: Adapter = 'express') =>
    startApp({
      adapter,
      controllers: [RoomsController],
      options: {
        ...system.options(proxied),
        revocation: true,
        failFast: true,
        retry: 50,
        client: byUser,
        ...options,
      },
    });

  // Each test has clients of its own: the event table keeps who is blocked.
  const as = (app: TestApp, user: string, path = '/rooms/a') =>
    app.connect(path, { headers: { 'x-user': user }, deadline: 60_000 });

  /** Returns as browsers do: an instance sends clients away until it knows who is blocked. */
  const served = (app: TestApp, user: string, path?: string) =>
    until(async () => {
      const client = await as(app, user, path);
      return client.opening && client;
    });

  const startAll = () => Promise.all([start(), start(false, {}, 'fastify'), start(true)] as const);

  it("ends all of a client's streams on every instance, nobody else's, and delivers nothing after", async () => {
    const apps = await startAll();
    const clients = await Promise.all(
      Array.from({ length: 300 }, async (_, nth) => {
        const user = `user ${nth % 30}`;
        return { user, client: await served(apps[nth % 3]!, user) };
      }),
    );
    publisher = new Publisher(apps[1].sse, 'a');
    await until(() => clients.every(({ client }) => client.events.length > 0));
    const of = (...users: string[]) =>
      clients.flatMap(({ user, client }) => (users.includes(user) ? [client] : []));
    const gone = ['user 3', 'user 7', 'user 11'];
    for (const [nth, user] of gone.entries()) {
      await apps[nth]!.sse.disconnect({ client: user });
      // Whatever is sent from here on comes after the command, for every instance.
      const { sent } = publisher;
      await Promise.all(of(user).map(({ closed }) => closed));
      expect(of(user).filter((client) => lastOf(client) >= sent)).toEqual([]);
    }
    const { taken } = publisher;
    const others = clients.filter(({ user }) => !gone.includes(user));
    await until(() => others.every(({ client }) => lastOf(client) >= taken - 1));
    expect(others.filter(({ client }) => !client.isOpen)).toEqual([]);
    expect(apps.flatMap(({ sse }) => sse.connections({ limit: 1_000 }))).toHaveLength(270);
  });

  it('has an instance that was cut off deliver nothing after its return', async () => {
    const apps = await startAll();
    const [one, , cut] = apps;
    const anns = await Promise.all(apps.map((app) => served(app, 'ann')));
    const bobs = await Promise.all(apps.map((app) => served(app, 'bob')));
    publisher = new Publisher(one.sse, 'a');
    await until(() => [...anns, ...bobs].every(({ events }) => events.length > 0));
    system.proxy.refuse();
    system.proxy.cut();
    const before = publisher.taken;
    await until(() => publisher!.taken > before + 20);
    await one.sse.disconnect({ client: 'ann' }, { block: 60_000 });
    await until(() => publisher!.taken > before + 40);
    await Promise.all([anns[0]!.closed, anns[1]!.closed]);
    const [, , ann] = anns as [SseTestClient, SseTestClient, SseTestClient];
    const last = lastOf(ann);
    expect(last).toBeLessThan(before + 20);
    system.proxy.accept();
    const { taken } = publisher;
    await until(() => bobs.every((bob) => lastOf(bob) >= taken));
    await ann.closed;
    expect(lastOf(ann)).toBe(last);
    expect((await as(cut, 'ann')).opened.status).toBe(204);
    // What bob has received is without a gap.
    const numbers = bobs[2]!.events.map(({ data }) => Number(data));
    expect(numbers).toEqual(numbers.map((_, nth) => numbers[0]! + nth));
  });

  it('blocks a client on an instance that starts later, and sends newcomers away until it knows', async () => {
    const one = await start();
    await one.sse.disconnect({ client: 'kim' }, { block: 60_000 });
    await one.sse.disconnect({ client: 'bob' });
    const later = await start();
    expect((await as(later, 'kim')).opened.status).toBe(204);
    system.proxy.refuse();
    const unknowing = await start(true, { failFast: false, readyTimeout: 50 });
    for (const user of ['kim', 'bob', 'eve']) {
      const away = await as(unknowing, user);
      expect(away.opened.status).toBe(200);
      expect((await away.closed).by).toBe('server');
      expect(away.opening).toBeUndefined();
      expect(away.retry).toBeGreaterThanOrEqual(1_000);
    }
    system.proxy.accept();
    await until(async () => (await as(unknowing, 'eve')).opening);
    expect((await as(unknowing, 'kim')).opened.status).toBe(204);
  });

  it('ends every stream of an instance that cannot read what it has missed', async () => {
    const [one, , cut] = await startAll();
    const tom = await served(cut, 'tom', '/rooms/b');
    await one.sse.disconnect({ client: 'nobody' });
    await until(() => cut.sse.stats().connections === 1);
    system.proxy.refuse();
    system.proxy.cut();
    await one.sse.disconnect({ client: 'tom' });
    await system.forget();
    system.proxy.accept();
    expect((await tom.closed).by).toBe('server');
    expect(tom.retry).toBeGreaterThanOrEqual(1_000);
    const back = await served(cut, 'tom', '/rooms/b');
    await one.sse.send('b', 'hello');
    await back.until(({ data }) => data === 'hello');
  });

  it('rejects when the broker does not take the command, and has ended what is here', async () => {
    const cut = await start(true, { failFast: false, ...short(name) });
    const sue = await served(cut, 'sue');
    system.proxy.refuse();
    system.proxy.cut();
    await expect(cut.sse.disconnect({ client: 'sue' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect((await sue.closed).by).toBe('server');
  });
});

/** Options with which an attempt to publish ends soon. */
function short(name: string): SseModuleOptions {
  return name === 'redis' ? { redisStreams: { sendTimeout: 200, prefix: 'short:' } } : {};
}
