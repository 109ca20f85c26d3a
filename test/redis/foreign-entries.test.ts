import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Channel } from '../../lib/channel/channel.js';
import { Cursor } from '../../lib/channel/cursor.js';
import { EARLIEST } from '../../lib/channel/start-position.js';
import {
  itemsOf,
  itemsOfMessage,
  parseMessage,
  type RawEntry,
} from '../../lib/sources/redis/stream-entry.js';
import { isStreamId } from '../../lib/sources/redis/stream-id.js';
import { createRedis, type TestRedis } from '../support/databases.js';
import { holds } from '../support/property.js';
import { until } from '../support/until.js';
import { instance, stopInstances, withRedis, type Instance } from './instances.js';

const LIMITS = { events: 10_000, bytes: 1e8, age: 1e9, eventSize: 2_000 };

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

/** A channel as clients read it, with the one check of what enters. */
function open(one: Instance, name: string) {
  const channel = new Channel(name, LIMITS, () => undefined);
  channel.feedFrom(one.broker.open(name, channel));
  const entries = () =>
    Array.from({ length: channel.log.head }, (_, n) => channel.log.at(channel.log.first + n));
  return {
    channel,
    entries,
    data: () => entries().flatMap(({ type, data }) => (type === 'sse:reset' ? [] : [data])),
    reasons: () =>
      entries().flatMap(({ type, data }) =>
        type === 'sse:reset' ? [(JSON.parse(data) as { reason: string }).reason] : [],
      ),
  };
}

/** What a client is shown that asks for everything. */
async function history(channel: Channel): Promise<string[]> {
  const shown: string[] = [];
  const cursor = new Cursor(channel, { pull: () => undefined });
  await cursor.resume(EARLIEST);
  for (let state = cursor.next(); state !== 'idle'; state = cursor.next()) {
    if (state === 'loading') {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    expect(['page', 'log']).toContain(state);
    const { type, data } = cursor.take();
    shown.push(type === 'sse:reset' ? (JSON.parse(data) as { reason: string }).reason : data);
  }
  cursor.close();
  return shown;
}

describe('An entry that another program writes to a stream', () => {
  it.each([
    ['meta `null`', ['l', '4+1', 'd', 'nullx']],
    ['meta `null`, by itself', ['m', 'null', 'd', 'x']],
    ['meta that is no JSON', ['l', '1+1', 'd', '{x']],
    ['meta that is a number', ['m', '5', 'd', 'x']],
    ['a type that is a number', ['m', '{"t":5}', 'd', 'x']],
    ['a type of two lines', ['m', '{"t":"a\\nid: 1"}', 'd', 'x']],
    ['a type of ours', ['m', '{"t":"sse:reset"}', 'd', '{}']],
    ['an id of two lines', ['m', '{"i":"a\\n\\ndata: forged"}', 'd', 'x']],
    ['an id that is null', ['m', '{"i":null}', 'd', 'x']],
    ['a retry that is none', ['m', '{"r":"1\\n"}', 'd', 'x']],
    ['no data', ['foo', 'bar']],
    ['lengths of something else', ['l', '3,4', 'd', 'ab']],
    ['lengths that are none', ['l', 'a,-1,1e999', 'd', 'ab']],
    ['more events than there are ids', ['l', '1'.padEnd(40, ',0'), 'd', 'x'], '5-3'],
    ['data beyond the limit', ['m', '', 'd', 'x'.repeat(2_001)]],
    ['data beyond the limit, in bytes', ['m', '', 'd', 'ä'.repeat(1_001)]],
  ])('becomes a reset in its place: %s', async (_, fields, id = '*') => {
    const one = await instance(redis.url, { prefix, auditInterval: 100 });
    const key = `${prefix}{foreign}`;
    await withRedis(redis.url, (admin) => admin.xadd(key, '5-1', 'm', 'o', 'd', ''));
    const there = open(one, 'foreign');
    await until(() => there.channel.ready);
    await withRedis(redis.url, (admin) => admin.xadd(key, id, ...fields));
    await until(() => there.entries().length > 0);
    expect(there.reasons()).toEqual(['skipped-event']);
    await one.broker.publish('foreign', { data: 'after' });
    await until(() => there.data().length > 0);
    expect(there.data()).toEqual(['after']);
    expect(one.log.errors).toEqual([]);
    expect(one.log.lines).toEqual([
      expect.stringMatching(/entry \S+ of the stream .* cannot be sent/),
    ]);
    expect(await history(there.channel)).toEqual(['skipped-event', 'after']);
  });

  it('is delivered when it has the form of an event', async () => {
    const one = await instance(redis.url, { prefix, auditInterval: 100 });
    const there = open(one, 'plain');
    await until(() => there.channel.ready);
    await withRedis(redis.url, async (admin) => {
      await admin.xadd(`${prefix}{plain}`, '*', 'd', 'only data');
      await admin.xadd(`${prefix}{plain}`, '*', 'extra', '1', 'd', 'and more', 'm', '{"t":"a"}');
    });
    await until(() => there.data().length === 2);
    expect(there.data()).toEqual(['only data', 'and more']);
    expect(there.reasons()).toEqual([]);
  });

  it('leaves the count of retained events correct', async () => {
    const one = await instance(redis.url, { prefix, retain: { events: 100, bytes: 10_000 } });
    const key = `${prefix}{counted}`;
    const foreign = [
      ['d', 'x'],
      ['d', 'x', 'a', 'b', 'b', 'nan', 'n', 'inf'],
      ['m', '', 'd', 'x', 'b', '1e308', 'n', '-5'],
      ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
    ];
    for (let turn = 0; turn < 40; turn++) {
      const sends = Array.from({ length: 20 }, () =>
        one.broker.publish('counted', { data: 'x'.repeat(20) }),
      );
      await Promise.all(sends);
      await withRedis(redis.url, (admin) => admin.xadd(key, '*', ...foreign[turn % 4]!));
    }
    const entries = await withRedis(redis.url, (admin) => admin.xrange(key, '-', '+'));
    const events = entries.flatMap(itemsOf).filter(({ kind }) => kind === 'event');
    expect(events.length).toBeGreaterThanOrEqual(100);
    expect(events.length).toBeLessThanOrEqual(100 + 128 + 2 * 20 + 20);
  });

  it('can use up the ids of the stream: send() then rejects with the remedy', async () => {
    const one = await instance(redis.url, { prefix });
    const there = open(one, 'full');
    await until(() => there.channel.ready);
    const last = '18446744073709551615-18446744073709551615';
    await withRedis(redis.url, (admin) => admin.xadd(`${prefix}{full}`, last, 'd', 'x'));
    for (const amount of [1, 3]) {
      const sends = Array.from({ length: amount }, () => one.broker.publish('full', { data: 'a' }));
      for (const outcome of await Promise.allSettled(sends)) {
        expect(outcome).toMatchObject({
          status: 'rejected',
          reason: {
            code: 'UNAVAILABLE',
            message: expect.stringMatching(/no room.*Remove that key/),
          },
        });
      }
    }
    await withRedis(redis.url, (admin) => admin.del(`${prefix}{full}`));
    await one.broker.publish('full', { data: 'room again' });
    await until(() => there.reasons().length > 0);
    await one.broker.publish('full', { data: 'later' });
    await until(() => there.data().includes('later'));
    expect(there.reasons()).toEqual(['failover']);
  });

  it.each(['9999999999999-18446744073709551615', '9999999999999-9007199254740993'])(
    'with the id %s does not stop the events of one turn',
    async (id) => {
      const one = await instance(redis.url, { prefix, auditInterval: 100 });
      const there = open(one, 'high');
      await until(() => there.channel.ready);
      await withRedis(redis.url, (admin) => admin.xadd(`${prefix}{high}`, id, 'd', 'high'));
      const sent = ['1', '2', '3'];
      await Promise.all(sent.map((data) => one.broker.publish('high', { data })));
      const ids = await Promise.all(sent.map((data) => one.broker.publish('high', { data })));
      await until(() => there.data().length >= 7);
      expect(there.data()).toEqual(['high', ...sent, ...sent]);
      expect(there.reasons()).toEqual([]);
      const page = await there.channel.feed!.history!.read(ids[0], 10);
      expect(page.events.map(({ data }) => data)).toEqual(['2', '3']);
    },
  );
});

describe('An event that is too large for this instance', () => {
  it('leaves a reset among those that one message brought with it', async () => {
    const one = await instance(redis.url, { prefix });
    const there = open(one, 'large');
    await until(() => there.channel.ready);
    const large = 'x'.repeat(LIMITS.eventSize + 1);
    const sent = ['a', 'é'.repeat(LIMITS.eventSize / 2), 'b', large, 'c'];
    const ids = await Promise.all(sent.map((data) => one.broker.publish('large', { data })));
    await until(() => there.channel.log.head >= sent.length);
    expect(there.data()).toEqual(sent.filter((data) => data !== large));
    expect(there.entries().map(({ position }) => position)).toEqual(ids);
    expect(there.reasons()).toEqual(['skipped-event']);
    expect(there.entries()[3]!.type).toBe('sse:reset');
  });
});

describe('A message that another program publishes', () => {
  it.each([
    ['meta `null`', (last: string) => `${last} ${after(last)} 4+1\nnullx`],
    ['an id that is none', (last: string) => `${last} zzz \nx`],
    ['an id beyond 64 bits', (last: string) => `${last} 99999999999999999999-1 \nx`],
    ['ids beyond 64 bits', (last: string) => `${last} 9999999999999-18446744073709551615 1,1\nxx`],
    ['an id that is not after the last one', (last: string) => `${last} 1-1 \nx`],
    ['lengths of something else', (last: string) => `${last} ${after(last)} 5\nx`],
    ['lengths below zero', (last: string) => `${last} ${after(last)} 3,-2\nx`],
    ['a million lengths', (last: string) => `${last} ${after(last)} ${'0,'.repeat(1e6)}1\nx`],
    ['no lengths', (last: string) => `${last} ${after(last)}\nx`],
    ['nothing', () => ''],
    ['blanks', () => '  \n'],
    ['any text', () => 'hello'],
  ])('changes nothing: %s', async (_, text) => {
    const one = await instance(redis.url, { prefix });
    const there = open(one, 'published');
    await until(() => there.channel.ready);
    const last = await one.broker.publish('published', { data: 'before' });
    await until(() => there.data().length === 1);
    await withRedis(redis.url, (admin) => admin.publish(`${prefix}{published}`, text(last)));
    await one.broker.publish('published', { data: 'after' });
    await until(() => there.data().length >= 2);
    expect(there.data()).toEqual(['before', 'after']);
    expect(there.reasons()).toEqual([]);
    expect(one.log.errors).toEqual([]);
    expect(one.log.lines).toEqual([expect.stringContaining('Another program published')]);
  });

  it('in a later format makes the instance read its entries from the stream, and log that once', async () => {
    const one = await instance(redis.url, { prefix });
    const there = open(one, 'later');
    await until(() => there.channel.ready);
    const stream = `${prefix}{later}`;
    let last = await one.broker.publish('later', { data: 'before' });
    await until(() => there.data().length === 1);
    await withRedis(redis.url, async (admin) => {
      for (const data of ['one', 'two']) {
        const id = (await admin.xadd(stream, '*', 'v', '2', 'm', '', 'd', data))!;
        await admin.publish(stream, `v2 ${last} ${id} ${data}`);
        last = id;
      }
    });
    await one.broker.publish('later', { data: 'after' });
    await until(() => there.data().includes('after'));
    expect(there.data()).toEqual(['before', 'after']);
    expect(new Set(there.reasons())).toEqual(new Set(['skipped-event']));
    expect(await history(there.channel)).not.toContain('one');
    expect(one.log.errors).toEqual([]);
    expect(one.log.lines).toEqual([expect.stringContaining('later version')]);
  });

  it('causes one reset when its id is invented, once the stream shows otherwise', async () => {
    const one = await instance(redis.url, { prefix });
    const there = open(one, 'forged');
    await until(() => there.channel.ready);
    const last = await one.broker.publish('forged', { data: 'before' });
    await until(() => there.data().length === 1);
    await withRedis(redis.url, (admin) =>
      admin.publish(`${prefix}{forged}`, `${last} 9999999999999-5 \nforged`),
    );
    await one.broker.publish('forged', { data: 'unseen' });
    await until(() => there.reasons().length > 0);
    await one.broker.publish('forged', { data: 'after' });
    await until(() => there.data().includes('after'));
    expect(there.reasons()).toEqual(['failover']);
  });

  it('cannot fill the log', async () => {
    const one = await instance(redis.url, { prefix });
    const there = open(one, 'noisy');
    await until(() => there.channel.ready);
    await withRedis(redis.url, async (admin) => {
      for (let n = 0; n < 100; n++) {
        await admin.publish(`${prefix}{noisy}`, `noise ${n}`);
      }
    });
    await one.broker.publish('noisy', { data: 'after' });
    await until(() => there.data().length === 1);
    expect(one.log.lines.length).toBeLessThanOrEqual(10);
  });
});

/** The stream id after this one. */
function after(id: string): string {
  const [time, number] = id.split('-');
  return `${time}-${Number(number) + 1}`;
}

describe('Random entries and messages', () => {
  const json = fc.oneof(
    fc.json({ maxDepth: 2 }),
    fc
      .record(
        { t: fc.jsonValue(), i: fc.jsonValue(), r: fc.jsonValue(), e: fc.jsonValue() },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
    fc.constantFrom('null', '{}', 'x', 'o', '-', '{"t":"sse:reset"}', '{"i":" a"}', '{"i":"a"}'),
  );
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), json, fc.constant('é😀'));
  const number = fc.oneof(
    fc.constantFrom('', '0', '1', '-1', '1.5', 'NaN', '1e3', '0x10', ' 5', '99999999999999999999'),
    fc.nat(30).map(String),
  );
  const length = fc.oneof(
    number,
    fc.tuple(number, number).map(([a, b]) => `${a}+${b}`),
  );
  const lengths = fc.array(length, { maxLength: 5 }).map((parts) => parts.join(','));
  /** Lengths that are those of the texts. */
  const fitting = fc
    .array(fc.tuple(json, text), { minLength: 1, maxLength: 4 })
    .map((pairs) => [
      pairs.map(([meta, data]) => `${meta.length}+${data.length}`).join(','),
      pairs.flat().join(''),
    ]);
  const field = fc.constantFrom('m', 'd', 'l', 'b', 'n', 'x', '');
  const fields = fc.oneof(
    fc
      .array(fc.tuple(field, fc.oneof(text, lengths, number)), { minLength: 1, maxLength: 5 })
      .map((pairs) => pairs.flat()),
    fc.tuple(json, text).map(([meta, data]) => ['m', meta, 'd', data]),
    fitting.map(([l, d]) => ['l', l!, 'd', d!, 'b', '5', 'n', '5']),
  );
  const id = fc.oneof(
    fc.constantFrom('LAST', 'NEXT', '0-0', '1-1', '9999999999999-1', '*', 'a-b', '1'),
    fc.tuple(number, number).map(([a, b]) => `${a}-${b}`),
  );
  const message = fc.oneof(
    text,
    fc
      .tuple(id, id, lengths, fc.constantFrom('\n', '', ' \n'), text)
      .map(([previous, first, l, end, d]) => `${previous} ${first} ${l}${end}${d}`),
    fc.tuple(id, id, fitting).map(([previous, first, [l, d]]) => `${previous} ${first} ${l}\n${d}`),
  );

  it('never make the parser throw, which gives each event an id', async () => {
    await holds(
      fc.property(
        fc.constantFrom('5-0', '5-3', '9999999999999-18446744073709551615'),
        fields,
        (entry, all) => {
          const items = itemsOf([entry, all] as RawEntry);
          expect(items.length).toBeGreaterThan(0);
          expect(items.at(-1)!.id).toBe(entry);
          expect(items.every((item) => isStreamId(item.id))).toBe(true);
          expect(new Set(items.map((item) => item.id)).size).toBe(items.length);
        },
      ),
      { quick: 500, soak: 200_000 },
    );
    await holds(
      fc.property(message, (published) => {
        const parsed = parseMessage(published);
        for (const item of parsed ? itemsOfMessage(parsed) : []) {
          expect(isStreamId(item.id)).toBe(true);
        }
      }),
      { quick: 500, soak: 200_000 },
    );
  });

  type Act =
    { readonly send: number } | { readonly add: readonly string[] } | { readonly publish: string };
  const anyAct: fc.Arbitrary<Act> = fc.oneof(
    fc.record({ send: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ add: fields }),
    fc.record({ publish: message }),
  );

  it('become resets or events, and delay, lose or repeat no event of ours', async () => {
    const one = await instance(redis.url, { prefix, auditInterval: 100 });
    let runs = 0;
    await withRedis(redis.url, async (admin) => {
      const run = async (acts: readonly Act[]) => {
        const name = `fuzz ${++runs}`;
        const key = `${prefix}{${name}}`;
        const there = open(one, name);
        await until(() => there.channel.ready);
        let last = (await admin.xrevrange(key, '+', '-', 'COUNT', 1))[0]![0];
        const sent: string[] = [];
        let added = 0;
        for (const act of acts) {
          if ('send' in act) {
            const texts = Array.from({ length: act.send }, () => `ours ${sent.length}.${runs}`);
            const batch = texts.map((data, n) => `${data}.${n}`);
            sent.push(...batch);
            const ids = await Promise.all(batch.map((data) => one.broker.publish(name, { data })));
            last = ids.at(-1)!;
          } else if ('add' in act) {
            added++;
            last = (await admin.xadd(key, '*', ...act.add))!;
          } else {
            const texts = act.publish.replaceAll('LAST', last).replaceAll('NEXT', after(last));
            await admin.publish(key, texts);
          }
        }
        await one.broker.publish(name, { data: 'the last' });
        const arrives = () => there.data().includes('the last');
        const isLost = () => there.reasons().includes('failover');
        await until(() => arrives() || isLost(), { what: JSON.stringify(acts) });
        if (!arrives()) {
          // It came before the announcement that events may be missing.
          await one.broker.publish(name, { data: 'the last' });
          await until(arrives, { what: JSON.stringify(acts) });
        }
        // A message with ids of its own may make the stream appear to have lost something.
        const isForged = there.reasons().some((reason) => reason === 'failover');
        const ours = (texts: readonly string[]) => texts.filter((each) => sent.includes(each));
        if (!isForged) {
          expect(ours(there.data())).toEqual(sent);
          // Nothing that was written has passed in silence.
          const foreign = there.entries().length - ours(there.data()).length - 1;
          expect(foreign).toBeGreaterThanOrEqual(added - marks(acts));
        }
        expect(new Set(ours(there.data())).size).toBe(ours(there.data()).length);
        expect(ours(await history(there.channel))).toEqual(sent);
        there.channel.feed!.close();
      };
      const twoMarks: Act = { add: ['l', '1+3,1+0', 'd', '-abc-'] };
      await holds(
        fc.asyncProperty(fc.array(anyAct, { maxLength: 8 }), run),
        { quick: 40, soak: 3_000 },
        [[[{ send: 1 }, twoMarks]]],
      );
    });
    expect(one.log.errors).toEqual([]);
  });

  /** How many entries say of themselves that they are none of readers' business. */
  function marks(acts: readonly Act[]): number {
    return acts.filter((act) => {
      const items = 'add' in act ? itemsOf(['5-1', act.add]) : [];
      return items.length > 0 && items.every(({ kind }) => kind === 'mark');
    }).length;
  }
});
