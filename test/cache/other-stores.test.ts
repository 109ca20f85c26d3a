import { afterEach, describe, expect, it } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import { settingsOf } from '../../lib/setup/settings.js';
import { AdapterKeyStore } from '../../lib/sources/cache/adapter-store.js';
import type { CacheLike } from '../../lib/sources/cache/cache-calls.js';
import { CacheSource } from '../../lib/sources/cache/cache-source.js';
import type { KeyStore } from '../../lib/sources/cache/key-store.js';
import { MemoryKeyStore } from '../../lib/sources/cache/memory-store.js';
import { waitingKey } from '../../lib/sources/cache/waiting-event.js';
import { until } from '../support/until.js';
import { LogRecorder, Recorder } from './recorder.js';

const sources: CacheSource[] = [];

function sourceOf(store: KeyStore, log = new LogRecorder()): CacheSource {
  const source = new CacheSource(store, log);
  sources.push(source);
  return source;
}

afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.stop()));
});

/** How many timers keep running or waiting in this process. */
const timers = () =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind === 'Immediate');

const stores: [string, () => { store: KeyStore; set: (key: string, value: string) => unknown }][] =
  [
    [
      'in memory',
      () => {
        const store = new MemoryKeyStore();
        return { store, set: (key, value) => store.set(key, value) };
      },
    ],
    [
      'in cache-manager',
      () => {
        const cache = createCache();
        return { store: new AdapterKeyStore(cache), set: (key, value) => cache.set(key, value) };
      },
    ],
    [
      'in a Keyv',
      () => {
        const cache = new Keyv();
        return {
          store: new AdapterKeyStore(cache as CacheLike),
          set: (key, value) => cache.set(key, value),
        };
      },
    ],
  ];

describe.each(stores)('A key %s', (_, create) => {
  it('offers no poller for instances to elect', () => {
    const source = sourceOf(create().store);
    expect(() => source.with({ poller: 'elected' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('leave `cache` out'),
      }),
    );
  });

  it('keeps values while nobody reads, and gives each value to every channel', async () => {
    const { store, set } = create();
    const source = sourceOf(store);
    await set('key', 'waiting');
    const channels = [source.with({ interval: 10 }), source.with({ interval: 20 })].map(
      (endpoint) => Recorder.open(endpoint, 'key'),
    );
    await until(() => channels.every((channel) => channel.events.length === 1));
    channels.forEach((channel) => channel.feed!.pause!());
    await set('key', 'paused');
    channels[1]!.feed!.resume!();
    await until(() => channels[1]!.events.length === 2);
    expect(channels.map((channel) => channel.data)).toEqual([
      ['waiting', 'paused'],
      ['waiting', 'paused'],
    ]);
  });

  it('gives every value of sendKey() in order, behind the values that waited', async () => {
    const { store, set } = create();
    const source = sourceOf(store);
    const values = Array.from({ length: 500 }, (_, n) => String(n));
    await Promise.all(values.slice(0, 100).map((value) => source.sendKey('key', value)));
    await set('key', 'foreign');
    await source.sendKey('key', { named: true }, { type: 'named', id: 'own' });
    const channel = Recorder.open(source, 'key');
    await Promise.all(values.slice(100).map((value) => source.sendKey('key', value)));
    expect(channel.data).toEqual([
      ...values.slice(0, 100),
      'foreign',
      '{"named":true}',
      ...values.slice(100),
    ]);
    expect(channel.events[101]).toMatchObject({ type: 'named', id: 'own' });
  });

  it('gives its watchers the present value, then the changes', async () => {
    const { store, set } = create();
    const source = sourceOf(store);
    await set('key', 'a');
    const endpoint = source.with({ interval: 10, mode: 'watch' });
    const channel = Recorder.open(endpoint, 'key');
    await until(() => channel.events.length === 1);
    await set('key', 'b');
    await until(() => channel.events.length === 2);
    await source.sendKey('key', 'c');
    expect(channel.data).toEqual(['a', 'b', 'c']);
    expect(channel.feed!.current!()).toMatchObject({ data: 'c' });
    channel.feed!.close();
    await source.sendKey('key', 'd');
    const again = Recorder.open(endpoint, 'key');
    await until(() => again.events.length > 0);
    expect(again.data).toEqual(['d']);
  });

  it('leaves no timer and no poll behind', async () => {
    const { store } = create();
    const before = timers().length;
    const source = sourceOf(store);
    const channels = Array.from({ length: 50 }, (_, n) =>
      Recorder.open(source.with({ interval: 1 + n }), `key${n % 10}`),
    );
    await until(() => source.polledKeys === 10);
    channels.slice(0, 25).forEach((channel) => channel.feed!.close());
    channels.slice(25).forEach((channel) => channel.feed!.pause!());
    await until(() => source.polledKeys === 0);
    channels.slice(25).forEach((channel) => channel.feed!.resume!());
    await source.stop();
    expect(source.polledKeys).toBe(0);
    await until(() => timers().length <= before + 1);
  });
});

describe('A key in memory', () => {
  it('wakes its readers, so that nobody polls', async () => {
    const store = new MemoryKeyStore();
    let takes = 0;
    const take = store.take.bind(store);
    store.take = (keys) => (takes++, take(keys));
    const source = sourceOf(store);
    const channel = Recorder.open(source.with({ interval: 1 }), 'key');
    const started = performance.now();
    await until(() => performance.now() - started > 50);
    expect(takes).toBe(1);
    await store.set('key', { status: 'online' });
    await until(() => channel.events.length === 1);
    expect(channel.data).toEqual(['{"status":"online"}']);
    expect(takes).toBe(2);
  });

  it('is read outside of the async context of the request that set it', async () => {
    const request = new AsyncLocalStorage<string>();
    const store = new MemoryKeyStore();
    const contexts: unknown[] = [];
    const take = store.take.bind(store);
    store.take = (keys) => (contexts.push(request.getStore()), take(keys));
    const source = sourceOf(store);
    const channel = Recorder.open(source, 'key');
    await until(() => contexts.length === 1);
    await request.run('request 1', async () => {
      await store.set('key', 'one');
      await source.sendKey('key', 'two');
    });
    await until(() => channel.events.length === 2);
    expect(contexts.every((context) => context === undefined)).toBe(true);
  });

  it('drops events that have waited too long, but never the value of the key', async () => {
    const store = new MemoryKeyStore({ waitingTtl: 1, maxWaiting: 2 });
    await store.set('held', 'value');
    await store.push('sent', { data: 'old' });
    await until(async () => {
      await store.push('other', { data: 'x' }).catch(() => undefined);
      return store.size === 2;
    });
    expect(await store.get('held')).toBe('value');
  });
});

describe('A cache of the application', () => {
  it('gives values that are not strings as JSON, falsy ones too', async () => {
    const cache = createCache();
    const source = sourceOf(new AdapterKeyStore(cache));
    const channel = Recorder.open(source.with({ interval: 5 }), 'key');
    for (const value of [{ a: 1 }, 0, false, '']) {
      const before = channel.events.length;
      await cache.set('key', value);
      await until(() => channel.events.length > before);
    }
    expect(channel.data).toEqual(['{"a":1}', '0', 'false', '']);
  });

  it('causes one log line per outage when it fails, and its streams go on', async () => {
    let broken = true;
    const values = new Map<string, unknown>();
    const guard = <T>(step: () => T): T => {
      if (broken) {
        throw new Error('cache is down');
      }
      return step();
    };
    const log = new LogRecorder();
    const cache: CacheLike = {
      get: (key) => guard(() => values.get(key)),
      set: (key, value) => guard(() => values.set(key, value)),
      delete: (key) => guard(() => values.delete(key)),
    };
    const source = sourceOf(new AdapterKeyStore(cache), log);
    const channels = ['a', 'b', 'c'].map((key) => Recorder.open(source.with({ interval: 5 }), key));
    for (const outage of [1, 2, 3]) {
      broken = true;
      await until(() => log.errors.length === outage);
      broken = false;
      await until(() => log.lines.length === outage);
      values.set('b', `value ${outage}`);
      await until(() => channels[1]!.events.length === outage);
    }
    expect(log.errors).toHaveLength(3);
    expect(log.errors[0]).toContain('cache is down');
  });

  it('causes one log line when it holds a value that JSON cannot express, and the key goes on', async () => {
    const log = new LogRecorder();
    const values = new Map<string, unknown>([['key', { big: 1n }]]);
    const source = sourceOf(new AdapterKeyStore(values), log);
    const channel = Recorder.open(source.with({ interval: 2 }), 'key');
    await until(() => log.errors.length === 1);
    const started = performance.now();
    await until(() => performance.now() - started > 50);
    values.set('key', 'text');
    await until(() => channel.events.length === 1);
    expect(log.errors).toHaveLength(1);
    expect(log.errors[0]).toContain('BigInt');
  });

  it('causes a log line when a watched value cannot become JSON, and another when it can again', async () => {
    const log = new LogRecorder();
    const values = new Map<string, unknown>([['key', { big: 1n }]]);
    let isDown = false;
    let reads = 0;
    const cache: CacheLike = {
      get: (key) => {
        reads++;
        if (isDown) throw new Error('cache is down');
        return values.get(key);
      },
      set: (key, value) => values.set(key, value),
      delete: (key) => values.delete(key),
    };
    const source = sourceOf(new AdapterKeyStore(cache), log);
    const channel = Recorder.open(source.with({ interval: 2, mode: 'watch' }), 'key');
    const readAgain = (from = reads) => until(() => reads > from + 5);
    await readAgain();
    // Another reason is the same fault, and an outage of the cache does not end it.
    values.set('key', () => 1);
    await readAgain();
    isDown = true;
    await readAgain();
    isDown = false;
    await readAgain();
    const refusals = () => log.errors.filter((line) => line.includes('The key "key"'));
    await until(() => refusals().length > 0);
    expect(refusals()).toEqual([expect.stringContaining('BigInt')]);
    expect(log.lines).not.toContainEqual(expect.stringContaining('The key "key"'));
    values.set('key', 'text');
    await until(() => channel.events.length === 1);
    await until(() => log.lines.includes('The key "key" can be read again.'));
    expect(refusals()).toHaveLength(1);
  });

  it('that takes no values back causes one line for all keys, and none is left out of it', async () => {
    const log = new LogRecorder();
    const keys = Array.from({ length: 200 }, (_, n) => `key ${n}`);
    let asked = 0;
    let answer: () => void = () => undefined;
    const answers = new Promise<void>((resolve) => (answer = resolve));
    const taken = new Set<string>();
    const cache = {
      get: async (key: string) => {
        asked++;
        await answers;
        return taken.has(key) || !keys.includes(key) ? undefined : 'a value';
      },
      set: () => Promise.reject(new Error('The cache is full.')),
      delete: async (key: string) => taken.add(key),
    };
    const source = sourceOf(new AdapterKeyStore(cache), log);
    const channels = keys.map((key) => Recorder.open(source, key));
    await until(() => asked >= keys.length);
    channels.forEach(({ feed }) => feed!.close());
    answer();
    await source.stop();
    expect(log.errors.filter((line) => line.includes('put back'))).toEqual([
      expect.stringMatching(
        /^The last readers of 200 keys have left, and values of these could not be put back: "key \d+", "key \d+", "key \d+" and 197 more\. The cache is full\.$/,
      ),
    ]);
  });

  it.each([[null], [{}], [{ get() {}, set() {} }], ['cache']])(
    'must have the methods that we call: %p does not',
    (cache) => {
      expect(() => settingsOf({ cache: cache as never })).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION' }),
      );
    },
  );
});

describe('Values that a store may have lost on the way', () => {
  it('cause a reset on every channel once the store is back', async () => {
    const store = new MemoryKeyStore();
    const take = store.take.bind(store);
    let failures = 2;
    store.take = async (keys) =>
      failures-- > 0
        ? keys.map(() => ({ events: [], failure: new Error('cut'), lost: true }))
        : take(keys);
    await store.set('key', 'value');
    const source = sourceOf(store);
    const channels = [source.with({}), source.with({ interval: 7 })].map((endpoint) =>
      Recorder.open(endpoint, 'key'),
    );
    await until(() => channels.every((channel) => channel.events.length === 1));
    expect(channels.map((channel) => channel.resets)).toEqual([['listener-gap'], ['listener-gap']]);
  });
});

describe('The options of a key', () => {
  it.each([
    [{ interval: 0 }, '0'],
    [{ interval: 1.5 }, '1.5'],
    [{ interval: NaN }, 'NaN'],
    [{ interval: Infinity }, 'Infinity'],
    [{ interval: '1s' }, '"1s"'],
    [{ interval: 1_000, maxInterval: 500 }, '500'],
    [{ mode: 'peek' }, '"peek"'],
    [{ doneSignal: '' }, '""'],
    [{ type: 'a\nb' }, '"a\\nb"'],
  ])('%p cause an error', (options, shown) => {
    const source = sourceOf(new MemoryKeyStore());
    expect(() => source.with(options as never)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(`is ${shown}; it must be`),
      }),
    );
  });

  it('give the same source when they are equal', () => {
    const source = sourceOf(new MemoryKeyStore());
    expect(source.with({})).toBe(source.with({ interval: 1_000, mode: 'take' }));
    expect(source.with({})).not.toBe(source.with({ interval: 999 }));
  });

  it.each([[''], ['k'.repeat(1_025)], [42]])('do not go with the key %p', (key) => {
    const source = sourceOf(new MemoryKeyStore());
    expect(() => Recorder.open(source, key as string)).toThrow(
      expect.objectContaining({ code: 'INVALID_CHANNEL' }),
    );
  });
});

describe('A cache that hangs or answers wrongly', () => {
  const DEADLINE_MS = 50;

  /** A cache in a Map, of which single calls can be replaced. */
  function cacheWith(replaced: Partial<CacheLike>) {
    const values = new Map<string, unknown>();
    const cache: CacheLike = {
      get: (key) => values.get(key),
      set: (key, value) => void values.set(key, value),
      del: (key) => void values.delete(key),
      ...replaced,
    };
    const log = new LogRecorder();
    const source = sourceOf(new AdapterKeyStore(cache, { deadline: DEADLINE_MS }), log);
    return { values, cache, log, source };
  }

  it('stops neither the other keys nor, once it answers, its own', async () => {
    let hangs = true;
    const { values, source, log, cache } = cacheWith({});
    const get = cache.get.bind(cache);
    cache.get = (key) => (hangs && key === 'hanging' ? new Promise(() => undefined) : get(key));
    const [hanging, other] = ['hanging', 'other'].map((key) =>
      Recorder.open(source.with({ interval: 5 }), key),
    ) as [Recorder, Recorder];
    values.set('hanging', 'waits');
    for (const value of ['a', 'b', 'c']) {
      values.set('other', value);
      await until(() => other.data.includes(value));
    }
    // What is sent here reaches the readers here, whatever the cache does.
    await source.sendKey('hanging', 'sent');
    expect(hanging.data).toEqual(['sent']);
    hangs = false;
    await until(() => hanging.data.includes('waits'));
    await until(() => log.lines.length === 1);
    expect(log.errors).toEqual([expect.stringContaining(`no answer within ${DEADLINE_MS} ms`)]);
  });

  it.each([
    ['get() hangs', { get: () => new Promise(() => undefined) }],
    ['get() throws', { get: () => JSON.parse('{') }],
    ['get() rejects with nothing', { get: () => Promise.reject() }],
    ['set() hangs', { set: () => new Promise(() => undefined) }],
    ['set() answers false, as a Keyv without its store', { set: async () => false }],
  ])('makes sendKey() reject where nobody reads, and %s', async (_, replaced) => {
    const { source } = cacheWith(replaced as Partial<CacheLike>);
    await expect(source.sendKey('key', 'value')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(source.sendKey('key', 'again')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it.each([
    ['answers nothing', undefined],
    ['answers false', false],
    ['answers true', true],
  ])('gives a value once when del() removes it and %s', async (_, answer) => {
    const { values, source, cache } = cacheWith({});
    cache.del = (key) => (values.delete(key), answer);
    const channel = Recorder.open(source.with({ interval: 2 }), 'key');
    for (const value of ['a', 'b', 'c']) {
      values.set('key', value);
      await until(() => channel.data.includes(value));
    }
    expect(channel.data).toEqual(['a', 'b', 'c']);
  });

  it('does not give a value again and again when del() does not remove it', async () => {
    const { values, source, log, cache } = cacheWith({ del: () => undefined });
    values.set('key', 'stays');
    const channel = Recorder.open(source.with({ interval: 2 }), 'key');
    await until(() => log.errors.length === 1);
    expect(log.errors[0]).toContain('del() of the cache has removed nothing');
    cache.del = (key) => values.delete(key);
    await until(() => channel.events.length > 0);
    expect(channel.data).toEqual(['stays']);
    // Until then nobody knew whether it was removed.
    expect(channel.resets).toEqual(['listener-gap']);
  });

  it.each([
    ['no list', 'text'],
    ['a list of anything', [1, null, {}, '0', '1+9+9\n', '2=x', ['0=a'], '0=fine']],
  ])('with %s for waiting events loses that alone, and the key goes on', async (_, list) => {
    const { values, source, log } = cacheWith({});
    values.set(waitingKey('key'), list);
    const channel = Recorder.open(source.with({ interval: 2 }), 'key');
    await until(() => channel.resets.length === 1);
    values.set('key', 'next');
    await until(() => channel.data.includes('next'));
    expect(channel.data.filter((text) => text !== 'fine')).toEqual(['next']);
    expect(channel.resets).toEqual(['skipped-event']);
    expect(log.errors).toEqual([expect.stringContaining('left out of the key "key"')]);
    await source.sendKey('key', 'sent', { type: 'named' });
    expect(channel.events.at(-1)).toMatchObject({ data: 'sent', type: 'named' });
  });
});
