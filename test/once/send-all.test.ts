import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventToSend, SendResult } from '../../lib/index.js';
import { closeApps, startApp } from '../support/start-app.js';
import { arrived, dataOf } from './arrived.js';
import { SYSTEMS, type System } from './systems.js';

describe.each(Object.entries(SYSTEMS))('sendAll() with %s', (_, startSystem) => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem();
  });
  afterAll(() => system.stop());
  afterEach(closeApps);

  const start = async () => (await startApp({ options: system.options })).sse;

  it('answers for each event in order, and keeps the order of each channel', async () => {
    const sse = await start();
    const events = Array.from({ length: 1_000 }, (__, nth) => ({
      channel: `all-${nth % 70}`,
      data: { nth },
      ...(nth % 5 === 0 && { idempotencyKey: `key ${nth}` }),
    }));
    const results = await sse.sendAll(events);
    expect(results.filter(({ status }) => status === 'sent')).toHaveLength(1_000);
    for (let nth = 0; nth < 70; nth += 23) {
      const channel = `all-${nth}`;
      const came = await arrived(sse, channel);
      const sent = events.flatMap((event, at) =>
        event.channel === channel ? [{ data: event.data, id: idOf(results[at]!) }] : [],
      );
      expect(came.map(({ data, id }) => ({ data, id }))).toEqual(sent);
    }
  });

  it('tells which events were there already', async () => {
    const sse = await start();
    const event = { channel: 'once', data: 'a', idempotencyKey: 'k' };
    const [first, second] = await sse.sendAll([event, event]);
    expect(first).toEqual({ status: 'sent', id: expect.any(String), duplicate: false });
    expect(second).toEqual({ ...first, duplicate: true });
    expect(await sse.sendAll([event])).toEqual([second]);
    expect(await sse.send('once', 'a', { idempotencyKey: 'k' })).toBe(idOf(first!));
    expect(dataOf(await arrived(sse, 'once'))).toEqual(['a']);
  });

  it('sends the others when some cannot be sent', async () => {
    const sse = await start();
    const bad = [
      { channel: '', data: 'a' },
      { channel: 'some', data: undefined },
      { channel: 'some', data: 'a', type: 'sse:open' },
      { channel: 'some', data: 'x'.repeat(2_000_000) },
      { channel: 'some', data: 'a', idempotencyKey: '' },
      { channel: 'some', data: 'a', transaction: {} },
      { channel: 'some', data: 'a', serialise: String },
      undefined,
      'some',
    ] as EventToSend[];
    const results = await sse.sendAll(
      bad.flatMap((event, nth) => [{ channel: 'some', data: `${nth}` }, event]),
    );
    const codes = results.map((result) =>
      result.status === 'failed' ? (result.error as { code?: string }).code : 'sent',
    );
    const { length } = bad;
    expect(codes.filter((__, nth) => nth % 2 === 0)).toEqual(Array(length).fill('sent'));
    expect(codes.filter((__, nth) => nth % 2 === 1)).toEqual([
      'INVALID_CHANNEL',
      'INVALID_EVENT',
      'INVALID_EVENT',
      'EVENT_TOO_LARGE',
      ...Array(5).fill('INVALID_OPTION'),
    ]);
    expect(dataOf(await arrived(sse, 'some'))).toEqual(bad.map((__, nth) => `${nth}`));
  });

  it('rejects, and never throws, when reading the list throws', async () => {
    const sse = await start();
    const fail = () => {
      throw new Error('hostile');
    };
    const list = [{ channel: 'a', data: 'a' }, undefined, { channel: 'a', data: 'c' }];
    Object.defineProperty(list, 1, { get: fail });
    expect(await sse.sendAll(list as EventToSend[])).toEqual([
      expect.objectContaining({ status: 'sent' }),
      { status: 'failed', error: new Error('hostile') },
      expect.objectContaining({ status: 'sent' }),
    ]);
    await expect(sse.sendAll(new Proxy([], { get: fail }))).rejects.toThrow('hostile');
  });

  it('refuses what is no list, and more than 10,000 events', async () => {
    const sse = await start();
    expect(await sse.sendAll([])).toEqual([]);
    for (const events of [
      undefined,
      {},
      'a',
      Array.from({ length: 10_001 }, () => ({ channel: 'a', data: 'b' })),
    ]) {
      await expect(sse.sendAll(events as EventToSend[])).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('sendAll(): '),
      });
    }
    // A list with a hole.
    const results = await sse.sendAll(Array(1));
    expect(results).toMatchObject([{ status: 'failed', error: { code: 'INVALID_OPTION' } }]);
  });
});

const idOf = (result: SendResult): string | undefined =>
  result.status === 'sent' ? result.id : undefined;
