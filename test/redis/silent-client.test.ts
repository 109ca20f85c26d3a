import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { PAGE } from '../../lib/sources/redis/lua/lua.generated.js';
import { CALL_TIMEOUT_MS } from '../../lib/sources/redis/redis-call.js';
import { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import { LogRecorder } from '../cache/recorder.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { count, instance, NONE, stopInstances, withRedis } from './instances.js';

/** Whether a command is ignored; `argument` is its first, of a script its digest. */
type Ignores = (command: string, argument: unknown) => boolean;

/** What reads a page of a stream. */
const isPage: Ignores = (command, argument) => command === 'evalsha' && argument === PAGE.sha;

/** A client of the application's that at times neither carries out a command nor rejects it. */
class SilentClient extends Redis {
  readonly ignored = new Map<string, number>();
  ignores: Ignores = () => false;

  override call(command: string, ...args: unknown[]): Promise<unknown> {
    if (this.ignores(command, args[0])) {
      this.ignored.set(command, (this.ignored.get(command) ?? 0) + 1);
      return new Promise(() => undefined);
    }
    return super.call(command, ...(args as [string]));
  }
}

let server: RedisServer;
const clients: Redis[] = [];
const { setTimeout: realSetTimeout } = globalThis;

beforeAll(async () => {
  server = await startRedis();
  // What lasts ten seconds lasts a fifth of a second.
  globalThis.setTimeout = ((run: () => void, ms?: number, ...args: []) =>
    realSetTimeout(run, ms === CALL_TIMEOUT_MS ? 200 : ms, ...args)) as typeof setTimeout;
});

afterEach(async () => {
  await stopInstances();
  clients.splice(0).forEach((client) => client.disconnect());
});

afterAll(async () => {
  globalThis.setTimeout = realSetTimeout;
  await server.stop();
});

function silentClient(ignores: Ignores): SilentClient {
  const client = new SilentClient(server.url, { disconnectTimeout: 100 });
  client.ignores = ignores;
  clients.push(client);
  return client;
}

it.each(['INFO', 'evalsha'])(
  'A channel works once the client answers %s again',
  async (command) => {
    const client = silentClient((called) => called === command);
    const one = await instance(client);
    const there = one.open(command);
    let isSent = false;
    const sent = one.broker.publish(command, { data: 'sent meanwhile' });
    void sent.then(() => (isSent = true));
    const times = command === 'INFO' ? 1 : 3;
    await until(() => (client.ignored.get(command) ?? 0) >= times);
    // A reader needs no INFO on one server; whoever sends does.
    expect(command === 'INFO' ? isSent : there.isLive).toBe(false);
    client.ignores = () => false;
    await until(() => there.isLive);
    await sent;
    await one.broker.publish(command, { data: 'sent later' });
    const page = await there.feed.history!.read(undefined, 10);
    expect(page.events.map(({ data }) => data)).toEqual(['sent meanwhile', 'sent later']);
  },
);

it('A channel reads an entry whose message it missed once the client answers again', async () => {
  const client = silentClient(() => false);
  const [one, other] = [await instance(client, { auditInterval: 100 }), await instance(server.url)];
  const there = one.open('missed');
  await until(() => there.isLive);
  client.ignores = isPage;
  await withRedis(server.url, (admin) =>
    admin.xadd('sse:{missed}', '*', 'm', '', 'd', 'unpublished', 'b', '11', 'n', '1'),
  );
  await until(() => (client.ignored.get('evalsha') ?? 0) >= 2);
  await other.broker.publish('missed', { data: 'published' });
  client.ignores = () => false;
  await until(() => there.events.length >= 2);
  expect(count(['unpublished', 'published'], there.data)).toEqual(NONE);
  expect(there.resets).toEqual([]);
});

it('Reading history rejects when the client does not answer', async () => {
  const client = silentClient(() => false);
  const one = await instance(client);
  const id = await one.broker.publish('history', { data: 'first' });
  await one.broker.publish('history', { data: 'second' });
  const { history } = one.open('history').feed;
  client.ignores = isPage;
  await expect(history!.read(id, 10)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('no answer'),
  });
  client.ignores = () => false;
  expect((await history!.read(id, 10)).events.map(({ data }) => data)).toEqual(['second']);
});

it('A start with `failFast` rejects when the client does not answer', async () => {
  const client = silentClient((command) => command === 'PING');

  await expect(new RedisConnection(client, new LogRecorder()).start(true)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('no answer'),
  });
});
