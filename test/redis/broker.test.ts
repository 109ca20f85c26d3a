import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RedisKeyStore } from '../../lib/sources/cache/redis/redis-store.js';
import { slotTag } from '../../lib/sources/cache/waiting-event.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { until } from '../support/until.js';
import { count, instance, NONE, stopInstances, withRedis, type Instance } from './instances.js';

let redis: TestRedis;
let prefix = '';
let tests = 0;

beforeAll(async () => {
  redis = await createRedis();
});

beforeEach(() => {
  prefix = `${redis.keyPrefix}${++tests}:`;
});

afterEach(stopInstances);

afterAll(async () => {
  await redis.drop();
});

function start(options: Parameters<typeof instance>[1] = {}): Promise<Instance> {
  return instance(redis.url, { prefix, ...options });
}

describe('Events sent on one of two instances', () => {
  it('reach every instance once and in one order, whichever instance sends them', async () => {
    const [one, two] = [await start(), await start()];
    const [here, there] = [one.open('news'), two.open('news')];
    await until(() => here.isLive && there.isLive);
    const sends = Array.from({ length: 500 }, (_, n) =>
      (n % 2 ? one : two).broker.publish('news', { data: `event ${n}` }),
    );
    const ids = await Promise.all(sends);
    await until(() => here.events.length >= 500 && there.events.length >= 500);
    expect(new Set(ids).size).toBe(500);
    expect(here.data).toEqual(there.data);
    expect(here.events.map((event) => event.position)).toEqual(
      there.events.map((event) => event.position),
    );
    const sent = Array.from({ length: 500 }, (_, n) => `event ${n}`);
    for (const sender of [0, 1]) {
      const ofSender = (texts: string[]) =>
        texts.filter((text) => Number(text.slice(6)) % 2 === sender);
      expect(count(ofSender(sent), ofSender(here.data))).toEqual(NONE);
    }
    const byId = new Map(here.events.map((event) => [event.position, event.data]));
    expect(ids.map((id) => byId.get(id))).toEqual(sent);
    expect([...one.log.errors, ...two.log.errors]).toEqual([]);
  });

  it('arrive with type, id, retry, end and any text', async () => {
    const [one, two] = [await start(), await start()];
    const there = two.open('all');
    await until(() => there.isLive);
    const texts = [
      '',
      '\n',
      'a\r\nb',
      'ä€😀',
      '\ud800',
      'x'.repeat(100_000),
      '{"a":1}',
      ' 1,2;3\n',
    ];
    const events = texts.map((data, n) => ({
      data,
      type: n % 2 ? `type-${n}` : undefined,
      id: n % 3 ? `own ${n}` : undefined,
      retry: n % 4 ? n : undefined,
      end: n % 5 === 4 ? true : undefined,
    }));
    const ids = await Promise.all(events.map((event) => one.broker.publish('all', event)));
    await until(() => there.events.length === events.length);
    const expected = events.map((event, n) => ({
      ...event,
      data: event.data.replace('\ud800', '\ufffd'),
      position: ids[n],
    }));
    expect(there.events).toEqual(expected);
    const page = await there.feed.history!.read(undefined, 100);
    expect(page).toMatchObject({ last: true });
    expect(page.events).toEqual(expected);
  });

  it('reach nobody under another prefix', async () => {
    const [one, other] = [await start(), await start({ prefix: `${prefix}other:` })];
    const [here, there] = [one.open('news'), other.open('news')];
    await until(() => here.isLive && there.isLive);
    await other.broker.publish('news', { data: 'for the other' });
    await one.broker.publish('news', { data: 'for one' });
    await until(() => here.events.length > 0 && there.events.length > 0);
    expect([here.data, there.data]).toEqual([['for one'], ['for the other']]);
  });

  it('need two connections per instance, whatever the number of channels', async () => {
    const before = await withRedis(redis.url, async (client) =>
      String(await client.client('LIST')),
    );
    const one = await start();
    const channels = Array.from({ length: 300 }, (_, n) => one.open(`channel ${n}`));
    await until(() => channels.every((channel) => channel.isLive));
    const after = await withRedis(redis.url, async (client) => String(await client.client('LIST')));
    const ours = (list: string) =>
      list.split('\n').filter((line) => line.includes('nestjs-sse')).length;
    expect(ours(after) - ours(before)).toBe(2);
  });
});

describe('An instance', () => {
  it('subscribes to its open channels, and to no other', async () => {
    const one = await start();
    const subscriptions = () =>
      withRedis(redis.url, async (client) => {
        const channels = (await client.pubsub('CHANNELS', `${prefix}*`)) as string[];
        return channels.sort();
      });
    const [a, b] = [one.open('a'), one.open('b')];
    await until(() => a.isLive && b.isLive);
    expect(await subscriptions()).toEqual([`${prefix}{a}`, `${prefix}{b}`]);
    a.feed.close();
    await until(async () => (await subscriptions()).length === 1);
    const again = one.open('a');
    await until(() => again.isLive);
    await one.broker.publish('a', { data: 'again' });
    await until(() => again.events.length === 1);
    expect(a.events).toEqual([]);
  });
});

describe('The history of a channel', () => {
  it('can be read behind a position, page by page', async () => {
    const [one, two] = [await start(), await start()];
    const ids = await Promise.all(
      Array.from({ length: 25 }, (_, n) => one.broker.publish('log', { data: String(n) })),
    );
    const there = two.open('log');
    await until(() => there.isLive);
    const { history } = there.feed;
    const first = await history!.read(ids[4], 10);
    expect(first.last).toBe(false);
    expect(first.events.map((event) => event.data)).toEqual(
      Array.from({ length: 10 }, (_, n) => `${n + 5}`),
    );
    const second = await history!.read(ids[14], 10);
    expect(second.events.at(-1)).toMatchObject({ data: '24', position: ids[24] });
    expect(await history!.read(ids[24], 10)).toEqual({ events: [], last: true });
  });

  it('can be read behind an id of the publisher; its first use counts', async () => {
    const one = await start();
    for (const [data, id] of [
      ['0', 'a'],
      ['1', 'b'],
      ['2', 'a'],
      ['3', 'five'],
    ] as const) {
      await one.broker.publish('own', { data, id });
    }
    const { history } = one.open('own').feed;
    const after = async (id: string) =>
      (await history!.read(id, 10)).events.map((event) => event.data);
    expect(await after('a')).toEqual(['1', '2', '3']);
    expect(await after('b')).toEqual(['2', '3']);
    expect(await after('five')).toEqual([]);
    expect(history!.compare('a', 'b')).toBeLessThan(0);
    expect(history!.compare('five', 'b')).toBeGreaterThan(0);
  });

  it('knows the end of a run', async () => {
    const one = await start();
    const end = await one.broker.publish('run', { data: '[DONE]', end: true, id: 'the end' });
    await one.broker.publish('run', { data: 'next run' });
    const { history } = one.open('run').feed;
    expect(await history!.read(end, 10)).toMatchObject({ ended: true });
    expect(await history!.read('the end', 10)).toMatchObject({ ended: true });
  });

  it('answers a position it cannot continue from with the reason', async () => {
    const one = await start({ retain: { events: 100 } });
    const first = await one.broker.publish('short', { data: 'first' });
    for (let n = 0; n < 10; n++) {
      await Promise.all(
        Array.from({ length: 100 }, () => one.broker.publish('short', { data: 'x' })),
      );
    }
    const { history } = one.open('short').feed;
    const reason = async (id: string) => (await history!.read(id, 10)).reset;
    expect(await reason(first)).toBe('trimmed');
    expect(await reason('9999999999999-0')).toBe('failover');
    expect(await reason('nonsense')).toBe('unknown-position');
    expect(await reason('')).toBe('unknown-position');
  });

  it.each([
    '18446744073709551616-0',
    '1-18446744073709551616',
    '99999999999999999999-99999999999999999999',
    '01-1',
    '1-01',
    '00000000000000000001-0',
  ])('answers the position %s, which Redis refuses or writes in another way', async (id) => {
    const one = await start();
    await one.broker.publish('ids', { data: 'first' });
    const { history } = one.open('ids').feed;
    expect(await history!.read(id, 10)).toEqual({
      events: [],
      last: true,
      reset: 'unknown-position',
    });
    expect(history!.compare('0-0', id)).toBeGreaterThan(0);
  });

  it('answers the greatest id that Redis knows', async () => {
    const one = await start();
    await one.broker.publish('ids', { data: 'first' });
    const { history } = one.open('ids').feed;
    const greatest = '18446744073709551615-18446744073709551615';
    expect(await history!.read(greatest, 10)).toMatchObject({ reset: 'failover' });
  });

  it('retains as many bytes as `retain` allows', async () => {
    const one = await start({ retain: { bytes: 100_000 } });
    for (let n = 0; n < 100; n++) {
      await one.broker.publish('large', { data: 'x'.repeat(5_000) });
    }
    const { events } = await one.open('large').feed.history!.read(undefined, 1_000);
    expect(events.length).toBeGreaterThanOrEqual(20);
    expect(events.length).toBeLessThanOrEqual(24);
  });

  it('goes away once it is older than `retain.age` and nobody reads it', async () => {
    const one = await start({ retain: { age: 10_000 } });
    await one.broker.publish('old', { data: 'x' });
    const ttl = await withRedis(redis.url, (client) => client.pttl(`${prefix}{old}`));
    expect(ttl).toBeGreaterThan(9_000);
    expect(ttl).toBeLessThanOrEqual(10_000);
  });

  it.each(['a', '1', '1-', '-1', '1-1-1', '99999999999999999999999-0', ''])(
    'orders %j without an error',
    async (id) => {
      const one = await start();
      const { history } = one.open('order').feed;
      expect(history!.compare(id, id)).toBe(0);
      expect(history!.compare('5-1', id)).toBeGreaterThan(0);
      expect(history!.compare(id, '5-1')).toBeLessThan(0);
    },
  );
});

it('A channel and a key never share a stream, whatever their names', async () => {
  const one = await start();
  const { settings } = one.streams;
  const store = new RedisKeyStore(one.streams, { eventSize: 1_000 });
  for (const key of ['job:{42}', 'a}', '{a}b}', '{}}']) {
    const tag = slotTag(key);
    const channel = `${tag}}:key:${key.slice(0, -1)}`;
    // The name that the channel's stream would have is that of the key's.
    expect(`${settings.prefix}{${channel}}`).toBe(`${settings.prefix}{${tag}}:key:${key}`);
    const there = one.open(channel);
    await until(() => there.isLive);
    await store.push(key, { data: 'secret', type: 'x' });
    await store.take([key]);
    await one.broker.publish(channel, { data: 'public' });
    await until(() => there.data.length > 0);
    const page = await there.feed.history!.read(undefined, 10);
    expect([page.events.map(({ data }) => data), there.data]).toEqual([['public'], ['public']]);
  }
});

it.each(['1-1', '1764201600000-0', '0-0'])(
  'send() refuses the id %s, which could be a position',
  async (id) => {
    const one = await start();
    const refused = expect.objectContaining({
      code: 'INVALID_EVENT',
      message: expect.stringContaining(`"v${id}"`),
    });
    expect(() => one.broker.publish('a', { data: 'x', id })).toThrow(refused);
    const store = new RedisKeyStore(one.streams, { eventSize: 1_000 });
    await expect(store.push('a', { data: 'x', id })).rejects.toThrow(refused);
  },
);

it('send() refuses a transaction, which Redis would ignore', async () => {
  const one = await start();
  expect(() => one.broker.publish('a', { data: 'x' }, { transaction: {} })).toThrow(
    expect.objectContaining({ code: 'NOT_CONFIGURED' }),
  );
});

it('send() refuses a channel whose name cannot name a stream', async () => {
  const one = await start();
  expect(() => one.open('}x')).toThrow(expect.objectContaining({ code: 'INVALID_CHANNEL' }));
});
