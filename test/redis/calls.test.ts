import { describe, expect, it } from '@jest/globals';
import { Random } from '../channel/random.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { count, instance, NONE, withRedis } from './instances.js';
import { prefix, redis, useOwnRedis } from './own-redis.js';

useOwnRedis();

/** How often the server has run scripts, and published. */
function calls(): Promise<number[]> {
  return withRedis(redis.url, async (client) => {
    const info = await client.info('commandstats');
    return ['evalsha', 'publish'].map((name) =>
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0),
    );
  });
}

const names = (amount: number): string[] =>
  Array.from({ length: amount }, (_, n) => `channel ${n}`);

describe('The events of one turn', () => {
  it('travel in one call, one entry and one message when they go to one channel', async () => {
    const one = await instance(redis.url, { prefix, auditInterval: 60_000 });
    await one.broker.publish('warm', { data: '' });
    const [scripts, publishes] = await calls();
    const sends = Array.from({ length: 300 }, (_, n) =>
      one.broker.publish('burst', { data: String(n) }),
    );
    const ids = await Promise.all(sends);
    expect(await calls()).toEqual([scripts! + 1, publishes! + 1]);
    const entries = await withRedis(redis.url, (client) =>
      client.xrange(`${prefix}{burst}`, '-', '+'),
    );
    // The first entry is the beginning of the stream; the other has the last event's id.
    expect(entries.map(([id]) => id).slice(1)).toEqual([ids.at(-1)]);
  });

  it('share calls and markers when they go to many channels', async () => {
    const one = await instance(redis.url, { prefix, auditInterval: 60_000 });
    const channels = names(200);
    const recorded = channels.map((channel) => one.open(channel));
    await until(() => recorded.every((each) => each.isLive));
    await one.broker.publish('warm', { data: '' });
    const [scripts, publishes] = await calls();
    for (let round = 0; round < 3; round++) {
      await Promise.all(
        channels.map((channel) => one.broker.publish(channel, { data: `${channel}: ${round}` })),
      );
    }
    // 64 channels to a call.
    expect(await calls()).toEqual([scripts! + 3 * 4, publishes! + 3 * 200]);
    await until(() => recorded.every((each) => each.events.length >= 3));
    recorded.forEach((each, n) => {
      expect(each.data).toEqual([0, 1, 2].map((round) => `${channels[n]}: ${round}`));
    });
    const markers = await withRedis(redis.url, (client) => client.keys(`${prefix}from:*`));
    expect(markers.length).toBeLessThanOrEqual(4);
  });

  it('reach the other channels when Redis refuses one channel', async () => {
    const one = await instance(redis.url, { prefix });
    await withRedis(redis.url, (admin) => admin.set(`${prefix}{channel 5}`, 'a string'));
    const channels = names(10);
    const recorded = channels.map((channel) => one.open(channel));
    await until(() => recorded.every((each, n) => n === 5 || each.isLive));
    const outcomes = await Promise.allSettled(
      channels.map((channel) => one.broker.publish(channel, { data: channel })),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(
      channels.map((_, n) => (n === 5 ? 'rejected' : 'fulfilled')),
    );
    expect(outcomes[5]).toMatchObject({
      reason: { code: 'UNAVAILABLE', message: expect.stringContaining('holds another type') },
    });
    await until(() => recorded.every((each, n) => n === 5 || each.events.length > 0));
    expect(recorded.map((each) => each.data)).toEqual(
      channels.map((channel, n) => (n === 5 ? [] : [channel])),
    );
  });

  it('reach the other channels once when our user may not write to one channel', async () => {
    const keys = [`~${prefix}from:*`, `~${prefix}{allowed*`, `~${prefix}ids:{allowed*`];
    const rights = ['resetchannels', '+@all', '&*', ...keys];
    await withRedis(redis.url, (admin) =>
      admin.call('ACL', 'SETUSER', 'some', 'on', '>secret', ...rights),
    );
    const url = redis.url.replace('redis://', 'redis://some:secret@');
    const [some, all] = [await instance(url, { prefix }), await instance(redis.url, { prefix })];
    const channels = ['allowed 1', 'denied', 'allowed 2'];
    const recorded = channels.map((channel) => all.open(channel));
    await until(() => recorded.every((each) => each.isLive));
    for (let round = 0; round < 3; round++) {
      const outcomes = await Promise.allSettled(
        channels.map((channel) => some.broker.publish(channel, { data: `${round}` })),
      );
      expect(outcomes).toMatchObject([
        { status: 'fulfilled' },
        {
          status: 'rejected',
          reason: { message: expect.stringContaining('does not permit that to our user') },
        },
        { status: 'fulfilled' },
      ]);
    }
    await until(() => recorded.every((each, n) => n === 1 || each.events.length >= 3));
    expect(recorded.map((each) => each.data)).toEqual([['0', '1', '2'], [], ['0', '1', '2']]);
  });

  it('never arrive twice, also when our user may append but may not set the marker', async () => {
    const rights = ['resetchannels', '+@all', '-set', '&*', '~*'];
    await withRedis(redis.url, (admin) =>
      admin.call('ACL', 'SETUSER', 'most', 'on', '>secret', ...rights),
    );
    const url = redis.url.replace('redis://', 'redis://most:secret@');
    const [most, all] = [await instance(url, { prefix }), await instance(redis.url, { prefix })];
    const channels = names(5);
    const recorded = channels.map((channel) => all.open(channel));
    await until(() => recorded.every((each) => each.isLive));
    const outcomes = await Promise.allSettled(
      channels.map((channel) => most.broker.publish(channel, { data: 'once' })),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(channels.map(() => 'rejected'));
    await Promise.all(channels.map((channel) => all.broker.publish(channel, { data: 'last' })));
    await until(() => recorded.every((each) => each.data.at(-1) === 'last'));
    expect(recorded.map((each) => each.data)).toEqual(channels.map(() => ['once', 'last']));
  });

  it('arrive although somebody deleted the newest entry by hand', async () => {
    const one = await instance(redis.url, { prefix });
    const there = one.open('deleted');
    await until(() => there.isLive);
    const send = (texts: string[]) =>
      Promise.all(texts.map((data) => one.broker.publish('deleted', { data })));
    const far = Date.now() + 60_000;
    await withRedis(redis.url, async (admin) => {
      const stream = `${prefix}{deleted}`;
      await admin.xadd(stream, `${far}-5`, 'm', '', 'd', 'ahead', 'b', '5', 'n', '1');
      await admin.xdel(stream, `${far}-5`);
    });
    const ids = [
      ...(await send(['a', 'b', 'c'])),
      ...(await send(['d'])),
      ...(await send(['e', 'f'])),
    ];
    expect(new Set(ids.map((id) => id.split('-')[0]))).toEqual(new Set([`${far}`]));
    await until(() => there.events.length >= 6);
    expect(count(['a', 'b', 'c', 'd', 'e', 'f'], there.data)).toEqual(NONE);
    expect(there.events.map(({ position }) => position)).toEqual(ids);
    expect(there.resets).toEqual([]);
    const page = await there.feed.history!.read(ids[1], 10);
    expect(page.events.map(({ data }) => data)).toEqual(['c', 'd', 'e', 'f']);
  });
});

describe('A stream with a limit', () => {
  const eventsOf = async (one: Awaited<ReturnType<typeof instance>>, channel: string) => {
    const { history } = one.open(channel).feed;
    const events: string[] = [];
    let page = await history!.read(undefined, 256);
    for (;;) {
      events.push(...page.events.map(({ data }) => data));
      expect(page.events.length).toBeLessThanOrEqual(256);
      if (page.last) {
        return events;
      }
      page = await history!.read(page.events.at(-1)!.position, 256);
    }
  };

  it.each([
    ['one by one', 1, 3_000],
    ['in turns of 7', 7, 700],
    ['in turns of 400', 400, 20],
  ])('retains the last events, sent %s', async (_, burst, turns) => {
    const one = await instance(redis.url, { prefix, retain: { events: 1_000 } });
    const sent: string[] = [];
    for (let turn = 0; turn < turns; turn++) {
      const texts = Array.from({ length: burst }, (_, n) => `${turn}.${n}`);
      sent.push(...texts);
      await Promise.all(texts.map((data) => one.broker.publish('kept', { data })));
    }
    const kept = await eventsOf(one, 'kept');
    expect(kept).toEqual(sent.slice(-kept.length));
    expect(kept.length).toBeGreaterThanOrEqual(1_000);
    // A node of the stream more, or an eighth, and what travelled together.
    expect(kept.length).toBeLessThanOrEqual(1_000 + 128 + 62 + burst);
  });

  it('retains the last bytes, sent in turns', async () => {
    const one = await instance(redis.url, { prefix, retain: { bytes: 100_000 } });
    const sent: string[] = [];
    for (let turn = 0; turn < 100; turn++) {
      const texts = Array.from({ length: 10 }, (_, n) => `${turn}.${n}`.padEnd(500));
      sent.push(...texts);
      await Promise.all(texts.map((data) => one.broker.publish('kept', { data })));
    }
    const kept = await eventsOf(one, 'kept');
    expect(kept).toEqual(sent.slice(-kept.length));
    expect(kept.length).toBeGreaterThanOrEqual(200);
    expect(kept.length).toBeLessThanOrEqual(240);
  });

  it('can be read page by page from any event on, however events were sent', async () => {
    const one = await instance(redis.url, { prefix, retain: { events: 100_000 } });
    const random = new Random(4_711);
    const texts = ['', 'a', 'ä€', '😀', '\n', '+,', '12+3'];
    const sent: { data: string; type: string | undefined; position: string }[] = [];
    while (sent.length < sized({ quick: 1_500, soak: 15_000 })) {
      const burst = Array.from({ length: random.chance(0.5) ? 1 : 1 + random.below(40) }, () => ({
        data: texts[random.below(texts.length)]!.repeat(random.below(4)),
        type: random.chance(0.2) ? 'täg' : undefined,
      }));
      const ids = await Promise.all(burst.map((event) => one.broker.publish('mixed', event)));
      sent.push(...burst.map((event, n) => ({ ...event, position: ids[n]! })));
    }
    for (let round = 0; round < 60; round++) {
      const { history } = one.open('mixed').feed;
      const limit = [1, 2, 7, 100, 256][round % 5]!;
      let at = random.below(sent.length);
      for (let pages = 0, last = false; !last && pages < 20; pages++) {
        const page = await history!.read(sent[at]!.position, limit);
        last = page.last;
        expect(page.events.length).toBeLessThanOrEqual(limit);
        expect(page.events.map(({ data, type, position }) => ({ data, type, position }))).toEqual(
          sent.slice(at + 1, at + 1 + page.events.length),
        );
        at += page.events.length;
        expect(last || page.events.length > 0).toBe(true);
        expect(last).toBe(last && at === sent.length - 1);
      }
    }
  });

  it('lets another instance resume in the middle of events that were sent together', async () => {
    const [one, two] = [
      await instance(redis.url, { prefix }),
      await instance(redis.url, { prefix }),
    ];
    const sent = Array.from({ length: 500 }, (_, n) => `${n}`);
    const ids = await Promise.all(sent.map((data) => one.broker.publish('turn', { data })));
    const recorded = two.open('turn');
    await until(() => recorded.isLive);
    const { history } = recorded.feed;
    for (const n of [0, 1, 250, 498]) {
      const page = await history!.read(ids[n], 1_000);
      expect(page).toMatchObject({ last: true });
      expect(page.events.map(({ data }) => data)).toEqual(sent.slice(n + 1));
    }
    expect(await history!.read(ids[499], 1_000)).toEqual({ events: [], last: true });
    const [time, number] = ids[0]!.split('-');
    const unknown = await history!.read(`${time}-${Number(number) + 500}`, 1_000);
    expect(unknown.reset).toBe('failover');
  });
});
