import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Broker } from '../../lib/index.js';
import { freePort } from '../support/free-port.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

/** A broker that fails in one of the ways that brokers fail in. */
function failingBroker(publish: () => unknown): Broker {
  return {
    open: (_channel, sink) => {
      sink.live();
      return { close: () => undefined };
    },
    publish: publish as Broker['publish'],
  };
}

describe('A method that returns a promise', () => {
  let lines: string[];

  beforeEach(() => {
    lines = [];
    jest.spyOn(Logger.prototype, 'error').mockImplementation((message: unknown) => {
      lines.push(String(message));
    });
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await closeApps();
  });

  /** Jest fails a test whose rejections nobody handles. Node reports them after the microtasks of a turn. */
  const nextTurn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

  it('refuses a misspelt option, and names the known ones', async () => {
    const { sse } = await startApp({ controllers: [] });
    const misspelt = { typ: 'a', intervall: 5 } as never;
    const refused = (of: string, known: string) =>
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(
          new RegExp(`^${of}\\(\\): there is no option \`typ\`\\. There are: .*${known}`),
        ),
      });
    await expect(sse.send('a', 'x', misspelt)).rejects.toEqual(refused('send', 'transaction'));
    await expect(sse.sendKey('a', 'x', misspelt)).rejects.toEqual(refused('sendKey', 'serialize'));
    expect(() => sse.stream('a', misspelt)).toThrow(refused('stream', 'lastEventId'));
    expect(() => sse.streamKey('a', misspelt)).toThrow(refused('stream', 'interval'));
    expect(() => sse.poll(() => 'x', misspelt)).toThrow(refused('poll', 'timeout'));
  });

  it('refuses a transaction where the broker has none', async () => {
    const { sse } = await startApp({ controllers: [] });
    const transaction = { query: () => Promise.resolve({ rows: [] }) };
    await expect(sse.send('a', 'x', { transaction })).rejects.toMatchObject({
      code: 'NOT_CONFIGURED',
      message: expect.stringContaining('event table'),
    });
  });

  it('never throws, and need not be awaited, whatever the mistake', async () => {
    const { sse } = await startApp({ controllers: [] });
    const calls: (() => Promise<unknown>)[] = [
      () => sse.send('', 'x'),
      () => sse.send('c', 1n),
      () => sse.send('c', 'x', { id: '' }),
      () => sse.send('c', 'x', null as never),
      () => sse.complete('a\nb'),
      () => sse.sendKey('', 'x'),
      () => sse.sendKey('k', () => 1),
      () => sse.notify('c', 'x'),
      () => sse.notify('', 'x'),
    ];
    for (const call of calls) {
      const result = call();
      expect(result).toBeInstanceOf(Promise);
    }
    await nextTurn();
    await until(() => lines.length === calls.length);
    expect(new Set(lines.map((line) => line.split(':')[0]))).toEqual(
      new Set(['An event was not accepted']),
    );
  });

  it('needs no await when it refuses a whole list, or only asks', async () => {
    const { sse } = await startApp({ controllers: [] });
    const calls: (() => Promise<unknown>)[] = [
      () => sse.sendAll(undefined as never),
      () => sse.sendAll(Array.from({ length: 10_001 }, () => ({ channel: 'c', data: 'x' }))),
      () => sse.presence(''),
      () => sse.presence('c', { limit: 0 }),
      () => sse.presenceStats(''),
    ];
    const results = calls.map((call) => call());
    await nextTurn();
    for (const result of results) {
      await expect(result).rejects.toMatchObject({ name: 'SseError' });
    }
    expect(lines).toHaveLength(2);
  });

  it('logs each mistake, at most ten lines a minute', async () => {
    const { sse } = await startApp({ controllers: [] });
    for (let i = 0; i < 1_000; i++) void sse.send('', 'x');
    await nextTurn();
    expect(lines).toHaveLength(10);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('thrown');
      },
    ],
    ['rejects', () => Promise.reject(new Error('rejected'))],
    ['rejects with nothing', () => Promise.reject(undefined as unknown as Error)],
  ])('rejects with the reason when a broker %s', async (_, publish) => {
    const { sse } = await startApp({
      controllers: [],
      options: { broker: failingBroker(publish) },
    });
    void sse.send('c', 'x');
    await expect(
      sse.send('c', 'y').then(
        () => 'sent',
        () => 'refused',
      ),
    ).resolves.toBe('refused');
    await nextTurn();
    expect(lines).toHaveLength(1);
  });

  it('logs an outage of one system once, while another works', async () => {
    const postgres = `postgres://127.0.0.1:${await freePort()}/app`;
    const { sse } = await startApp({ controllers: [], options: { postgres } });
    for (let i = 0; i < 3; i++) {
      void sse.notify('c', 'x');
      await sse.notify('c', 'y').catch(() => undefined);
      await sse.send('c', 'z');
      await sse.sendKey('k', 'z');
    }
    await nextTurn();
    expect(lines).toEqual([expect.stringMatching(/^An event was not accepted: .*ECONNREFUSED/)]);
  });
});
