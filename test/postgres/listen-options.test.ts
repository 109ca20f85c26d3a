import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ListenOptions } from '../../lib/sources/postgres/listen.options.js';
import { until } from '../support/until.js';
import { listeningBackends, RecordingSink, type Listening } from './listen-recording.js';
import { listenRig } from './listen-rig.js';

describe('Options of a Postgres channel', () => {
  const rig = listenRig();
  let listen: Listening;

  beforeEach(() => {
    listen = rig.listening(rig.url);
  });

  async function open(options: ListenOptions, channel = 'news'): Promise<RecordingSink> {
    const sink = new RecordingSink();
    listen.source.with(options).open(channel, sink);
    await until(() => sink.isLive);
    return sink;
  }

  async function killListener(): Promise<void> {
    for (const pid of await listeningBackends(rig.writer)) {
      await rig.writer.query('select pg_terminate_backend($1)', [pid]);
    }
  }

  describe('type', () => {
    const envelope = '{"sse":"update","data":{"level":3}}';

    it('sets the type of every event', async () => {
      const sink = await open({ type: 'notice' });
      await listen.notify('news', 'plain');
      await listen.notify('news', envelope);
      await until(() => sink.events.length === 2);
      expect(sink.events).toEqual([
        { type: 'notice', data: 'plain' },
        { type: 'notice', data: '{"level":3}' },
      ]);
    });

    it('computes the type from payload and operation', async () => {
      const sink = await open({
        type: (payload, operation) =>
          payload === 'unnamed' ? undefined : `${operation ?? 'none'}:${payload.length}`,
      });
      await listen.notify('news', 'plain');
      await listen.notify('news', 'unnamed');
      await listen.notify('news', envelope);
      await until(() => sink.events.length === 3);
      expect(sink.events.map((event) => event.type)).toEqual(['none:5', undefined, 'update:11']);
    });

    it('lets the event through, and logs once, when the function throws or returns no type', async () => {
      const sink = await open({
        type: (payload) => {
          if (payload === 'throw') throw new Error('no such kind');
          return 'two\nlines';
        },
      });
      for (const payload of ['throw', 'lines', 'throw']) {
        await listen.notify('news', payload);
      }
      await until(() => sink.events.length === 3);
      expect(sink.events).toEqual([{ data: 'throw' }, { data: 'lines' }, { data: 'throw' }]);
      expect(listen.logger.errors).toEqual([
        expect.stringMatching(/"type" of Postgres channel "news" .* failed: no such kind/),
      ]);
    });
  });

  describe('doneSignal', () => {
    it.each([
      ['[DONE]', {}, [false, true]],
      ['bye', { doneSignal: 'bye' }, [false, true]],
      ['[DONE]', { doneSignal: false as const }, [false, false]],
    ])('ends the run or not: payload %j with options %j', async (last, options, ends) => {
      const sink = await open(options);
      await listen.notify('news', 'first');
      await listen.notify('news', last);
      await until(() => sink.events.length === 2);
      expect(sink.events.map((event) => event.end === true)).toEqual(ends);
    });
  });

  describe('refetch', () => {
    it('runs before the gap is announced, and its events come before later notifications', async () => {
      const order: string[] = [];
      let finish: (() => void) | undefined;
      const sink = await open({
        refetch: async (channel) => {
          order.push(`refetch ${channel}, ${sink.resets} resets`);
          await new Promise<void>((resolve) => (finish = resolve));
          return [{ data: 'state', type: 'snapshot' }];
        },
      });
      await listen.notify('news', 'before');
      await until(() => sink.data.includes('before'));
      await killListener();
      await until(() => finish !== undefined);
      await listen.notify('news', 'meanwhile');
      const other = await open({}, 'other');
      await listen.notify('other', 'meanwhile too');
      await until(() => other.events.length === 1);
      finish?.();
      await until(() => sink.data.includes('meanwhile'));
      expect(order).toEqual(['refetch news, 0 resets']);
      expect(sink.calls).toEqual(['live', 'before', 'reset:listener-gap', 'state', 'meanwhile']);
      expect(sink.events[1]).toMatchObject({ data: 'state', type: 'snapshot' });
    });

    it('does not hide the gap when it throws', async () => {
      const sink = await open({
        refetch: () => {
          throw new Error('database of users is away');
        },
      });
      await killListener();
      await until(() => sink.resets === 1);
      await listen.notify('news', 'after');
      await until(() => sink.events.length === 1);
      expect(sink.calls).toEqual(['live', 'reset:listener-gap', 'after']);
      expect(listen.logger.errors).toContainEqual(
        '"refetch" of Postgres channel "news" failed: database of users is away',
      );
    });

    it('runs for each of two gaps, also when the second falls into the first run', async () => {
      const finish: (() => void)[] = [];
      const sink = await open({
        refetch: () => new Promise<void>((resolve) => finish.push(resolve)),
      });
      await killListener();
      await until(() => finish.length === 1);
      await listen.notify('news', 'between');
      const probe = await open({}, 'probe');
      await listen.notify('probe', 'x');
      await until(() => probe.events.length === 1);
      await killListener();
      await until(() => probe.resets === 1);
      finish[0]?.();
      await until(() => finish.length === 2);
      await listen.notify('news', 'after');
      await listen.notify('probe', 'y');
      await until(() => probe.events.length === 2);
      finish[1]?.();
      await until(() => sink.events.length === 2);
      expect(sink.calls).toEqual([
        'live',
        'reset:listener-gap',
        'between',
        'reset:listener-gap',
        'after',
      ]);
    });
  });

  it.each([
    [{ type: 'a\nb' }, '`type` is "a\\nb"'],
    [{ type: 7 as never }, '`type` is 7'],
    [{ refetch: 'x' as never }, '`refetch` is "x"'],
    [{ doneSignal: true as never }, '`doneSignal` is true'],
    [{ doneSignal: '' }, '`doneSignal` is ""'],
  ])('refuse %j', (options, message) => {
    expect(() => listen.source.with(options)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(message),
      }),
    );
  });

  it.each([0, -1, Number.NaN, Infinity, '10s' as never])('refuse an interval of %p', (value) => {
    expect(() => rig.listening(rig.url, { healthInterval: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
    expect(() => rig.listening(rig.url, { timeout: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
  });
});
