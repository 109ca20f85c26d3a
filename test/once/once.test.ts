import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SseModuleOptions } from '../../lib/index.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { arrived, dataOf } from './arrived.js';
import { SYSTEMS, type System } from './systems.js';

describe.each(Object.entries(SYSTEMS))('An idempotency key, with %s', (name, startSystem) => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem();
  });
  afterAll(() => system.stop());
  afterEach(closeApps);

  const start = async (options: SseModuleOptions = {}) =>
    (await startApp({ options: { ...system.options, ...options } })).sse;

  /** Two instances; in memory there is one. */
  const startTwo = async () => {
    const one = await start();
    return [one, name === 'memory' ? one : await start()] as const;
  };

  it('makes each retry resolve with the first id, whatever its data, from any instance', async () => {
    const [one, two] = await startTwo();
    const first = await one.send('retry', 'a', { idempotencyKey: 'k' });
    expect(await one.send('retry', 'a', { idempotencyKey: 'k' })).toBe(first);
    expect(await two.send('retry', 'a', { idempotencyKey: 'k' })).toBe(first);
    expect(await two.send('retry', 'other', { idempotencyKey: 'k' })).toBe(first);
    const events = await arrived(two, 'retry');
    expect(events).toMatchObject([{ data: 'a', id: first }]);
  });

  it('counts for one channel, and as it is written', async () => {
    const sse = await start();
    const keys = ['k', 'K', ' k', 'é', 'e\u0301', '%', "'; --", '{k}', 'x'.repeat(256)];
    for (const idempotencyKey of [...keys, ...keys]) {
      await sse.send('keys', idempotencyKey, { idempotencyKey });
    }
    await sse.send('keys{k', 'elsewhere', { idempotencyKey: 'k' });
    expect(dataOf(await arrived(sse, 'keys'))).toEqual(keys);
    expect(dataOf(await arrived(sse, 'keys{k'))).toEqual(['elsewhere']);
  });

  it('gives one event to each of 1,000 keys that two instances send at once', async () => {
    const instances = await startTwo();
    const keys = Array.from({ length: 1_000 }, (_, nth) => `key ${nth}`);
    const [here, there] = await Promise.all(
      instances.map((sse) =>
        Promise.all(
          keys.map((key, nth) => sse.send(`many-${nth % 7}`, key, { idempotencyKey: key })),
        ),
      ),
    );
    expect(here).toEqual(there);
    const channels = await Promise.all(
      Array.from({ length: 7 }, (_, nth) => arrived(instances[0], `many-${nth}`)),
    );
    expect(dataOf(channels.flat()).sort()).toEqual(keys.sort());
  });

  it('is free again at the end of its window', async () => {
    const sse = await start({ idempotencyWindow: 1_000 });
    const send = () => sse.send('window', 'a', { idempotencyKey: 'k' });
    const first = await send();
    await until(async () => (await send()) !== first);
    expect(dataOf(await arrived(sse, 'window'))).toEqual(['a', 'a']);
  });

  it('is free when its event was refused', async () => {
    const sse = await start();
    const position = await sse.send('refused', 'before');
    await expect(
      sse.send('refused', 'a', { idempotencyKey: 'k', id: position }),
    ).rejects.toMatchObject({ code: 'INVALID_EVENT' });
    await sse.send('refused', 'b', { idempotencyKey: 'k' });
    expect(dataOf(await arrived(sse, 'refused'))).toEqual(['before', 'b']);
  });

  it('goes with type, id and retry of the event', async () => {
    const sse = await start();
    const options = { idempotencyKey: 'k', type: 'kind', id: 'own', retry: 1_234 };
    const first = await sse.send('fields', 'a', options);
    expect(await sse.send('fields', 'a', options)).toBe(first);
    expect(await arrived(sse, 'fields')).toMatchObject([
      { data: 'a', type: 'kind', id: 'own', retry: 1_234 },
    ]);
  });

  it('leaves the order of a channel as it was sent', async () => {
    const sse = await start();
    const texts = Array.from({ length: 60 }, (_, nth) => `${nth}`);
    const sent = texts.map((text, nth) =>
      sse.send('order', text, nth % 3 === 0 ? { idempotencyKey: text } : {}),
    );
    const ids = await Promise.all(sent);
    const events = await arrived(sse, 'order');
    expect(dataOf(events)).toEqual(texts);
    expect(events.map(({ id }) => id)).toEqual(ids);
  });
});

describe('An idempotency key', () => {
  afterEach(closeApps);

  const broker = {
    open: () => ({ close: () => undefined }),
    publish: async () => '1',
  };

  it.each([
    ['', 'is empty'],
    ['x'.repeat(10_000), 'has 10000 bytes; give at most 256'],
    ['€'.repeat(86), 'has 258 bytes; give at most 256'],
    ['a\nb', 'has control characters'],
    ['\ud800', 'is not well-formed text'],
    [7, 'must be a string'],
    [null, 'must be a string'],
  ])('of %j is refused', async (key, why) => {
    const { sse } = await startApp({});
    await expect(
      sse.send('bad', 'a', { idempotencyKey: key as unknown as string }),
    ).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(`send(): \`idempotencyKey\` ${why}`),
    });
  });

  it('is refused where the broker does not recognise keys', async () => {
    const { sse } = await startApp({ options: { broker } });
    await expect(sse.send('a', 'b', { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('has no publishOnce()'),
    });
    expect(await sse.sendAll([{ channel: 'a', data: 'b', idempotencyKey: 'k' }])).toMatchObject([
      { status: 'failed', error: { code: 'INVALID_OPTION' } },
    ]);
  });

  it('goes to a broker of yours with the window, and its answer is checked', async () => {
    const calls: unknown[] = [];
    let answer: unknown = { id: '7', isDuplicate: true };
    const own = {
      ...broker,
      publishOnce: async (...call: unknown[]) => {
        calls.push(call);
        return answer as never;
      },
    };
    const { sse } = await startApp({ options: { broker: own, idempotencyWindow: 60_000 } });
    expect(await sse.send('a', 'b', { idempotencyKey: 'k' })).toBe('7');
    expect(calls).toMatchObject([['a', { data: 'b' }, { key: 'k', window: 60_000 }, {}]]);
    for (answer of [undefined, '7', { id: 7, isDuplicate: true }, { id: '7' }, { id: '' }]) {
      await expect(sse.send('a', 'b', { idempotencyKey: 'k' })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('publishOnce() resolved with'),
      });
    }
    answer = Promise.reject(new Error('gone'));
    await expect(sse.send('a', 'b', { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('publishOnce() failed, and may have taken the event: gone'),
    });
  });

  it('is no option of sendKey()', async () => {
    const { sse } = await startApp({});
    await expect(sse.sendKey('a', 'b', { idempotencyKey: 'k' } as object)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
  });

  it.each([0, 999, 86_400_001, Infinity, '5m'])(
    'has no window of %p',
    async (idempotencyWindow) => {
      await expect(
        startApp({ options: { idempotencyWindow: idempotencyWindow as number } }),
      ).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    },
  );
});
