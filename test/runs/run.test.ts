import { HttpException } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { BehaviorSubject, lastValueFrom, Observable, of, toArray } from 'rxjs';
import {
  SseError,
  SseRunActiveError,
  type SseEvent,
  type SseModuleOptions,
} from '../../lib/index.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

/** The events of a run from its beginning, as `[type, data]`, once it has ended. */
const all = (events$: Observable<SseEvent>) =>
  lastValueFrom(events$.pipe(toArray())).then((events) =>
    events.map(({ type, data }) => (type === undefined ? data : [type, data])),
  );

async function* numbers(count: number, signal?: AbortSignal) {
  for (let n = 0; n < count && !signal?.aborted; n++) {
    yield `chunk ${n}`;
    await sleep(0);
  }
}

/** A source that waits until its signal aborts. */
const endless = (signal: AbortSignal) =>
  (async function* () {
    for (let n = 0; ; n++) {
      yield `chunk ${n}`;
      await sleep(5, undefined, { signal });
    }
  })();

describe('sse.run()', () => {
  afterEach(closeApps);

  const start = async (options: SseModuleOptions = {}) =>
    (await startApp({ options: { drainTimeout: 0, ...options } })).sse;

  it('streams a source from its beginning to its end, to each who reads it', async () => {
    const sse = await start();
    const run = await sse.run('chat:1', () => numbers(5));
    const expected = ['chunk 0', 'chunk 1', 'chunk 2', 'chunk 3', 'chunk 4', '[DONE]'];
    expect(await all(run.events$)).toEqual(expected);
    expect(await run.done).toEqual({ reason: 'completed', chunks: 6 });
    expect(await all(run.events$)).toEqual(expected);
    expect(run.signal.aborted).toBe(false);
  });

  it('goes on beside what is sent to the channel, and the channel beside it', async () => {
    const sse = await start();
    const sent: unknown[] = [];
    const subscription = sse.stream('chat:1').subscribe(({ data }) => sent.push(data));
    const source = new BehaviorSubject<unknown>('first');
    const run = await sse.run('chat:1', source);
    await sse.send('chat:1', 'sent');
    source.next({ type: 'kind', data: { a: 1 } });
    await sse.complete('chat:1');
    source.next(2);
    source.complete();
    expect(await all(run.events$)).toEqual(['first', ['kind', { a: 1 }], '2', '[DONE]']);
    // The run is read from the store, which may be faster than the channel.
    await until(() => sent.length >= 2);
    expect(sent).toEqual(['sent', '[DONE]']);
    subscription.unsubscribe();
  });

  it('has one run in a channel at a time', async () => {
    const sse = await start();
    const run = await sse.run('chat:1', endless);
    const refusal: unknown = await sse.run('chat:1', endless).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: 'SseError', code: 'RUN_ACTIVE', runId: run.id });
    for (const kind of [SseRunActiveError, SseError, HttpException, Error]) {
      expect(refusal).toBeInstanceOf(kind);
    }
    expect(new HttpException('of the application', 409)).not.toBeInstanceOf(SseError);
    const second = await sse.run('chat:1', () => numbers(1), { replace: true });
    expect(await run.done).toMatchObject({ reason: 'stopped' });
    expect((await all(run.events$)).slice(-2)).toEqual([
      ['sse:stopped', { reason: 'replaced' }],
      '[DONE]',
    ]);
    expect(await all(second.events$)).toEqual(['chunk 0', '[DONE]']);
    expect((await sse.run('chat:1', of('third'))).id).not.toBe(second.id);
  });

  it('is stopped by sse.stop(), which aborts its signal', async () => {
    const sse = await start();
    expect(await sse.stop('chat:1')).toBe(false);
    const run = await sse.run('chat:1', endless);
    expect(await sse.stop('chat:1', { reason: 'enough' })).toBe(true);
    expect(run.signal.aborted).toBe(true);
    expect(await run.done).toMatchObject({ reason: 'stopped' });
    const events = await all(run.events$);
    expect(events.slice(-2)).toEqual([['sse:stopped', { reason: 'enough' }], '[DONE]']);
    await sleep(20);
    expect(await all(run.events$)).toEqual(events);
    expect(await sse.stop('chat:1')).toBe(false);
  });

  it('rejects with the error of a source that fails before its first value', async () => {
    const sse = await start();
    const failure = new Error('401 of the provider, with a secret');
    await expect(sse.run('chat:1', () => Promise.reject(failure))).rejects.toBe(failure);
    const next = await sse.run('chat:1', of(1));
    expect(await all(next.events$)).toEqual(['1', '[DONE]']);
  });

  it('ends with a public error when the source fails in the middle', async () => {
    const sse = await start();
    const source = new BehaviorSubject('first');
    const run = await sse.run('chat:1', source, { errorMessage: (error) => `no ${String(error)}` });
    source.error('luck');
    expect(await all(run.events$)).toEqual([
      'first',
      ['sse:error', { reason: 'error', message: 'no luck' }],
      '[DONE]',
    ]);
    expect(await run.done).toEqual({ reason: 'error', error: 'luck', chunks: 3 });
  });

  it('ends a run that lasts too long', async () => {
    const sse = await start();
    const run = await sse.run('chat:1', endless, { duration: 50 });
    expect(await run.done).toMatchObject({ reason: 'limit' });
    expect(run.signal.aborted).toBe(true);
    expect((await all(run.events$)).slice(-2)).toEqual([
      ['sse:error', { reason: 'limit', message: expect.any(String) }],
      '[DONE]',
    ]);
  });

  it('ends a run that emits too much', async () => {
    const sse = await start();
    let emitted = 0;
    const run = await sse.run(
      'chat:1',
      async function* () {
        for (; emitted < 1_600; emitted++) {
          yield 'x'.repeat(65_536);
        }
      },
      { bytes: 1_048_576 },
    );
    // Each takes 48 bytes beside its data, so the sixteenth is one too many.
    expect(await run.done).toMatchObject({ reason: 'limit', chunks: 17 });
    expect(emitted).toBe(15);
    const events = await all(run.events$);
    expect(events).toHaveLength(17);
  });

  it.each([
    ['empty values', '', 100],
    ['a long type', { type: 'x'.repeat(52), data: '' }, 48],
  ])('ends a run that emits %s without an end', async (_, value, most) => {
    const sse = await start();
    const endlessly = async function* () {
      for (;;) {
        yield value;
      }
    };
    const run = await sse.run('chat:1', endlessly, { bytes: 4_800 });
    expect(await run.done).toMatchObject({ reason: 'limit', chunks: most + 2 });
  });

  it('refuses more runs than an instance may have', async () => {
    const sse = await start({ runs: { active: 2 } });
    await sse.run('chat:1', endless);
    await sse.run('chat:2', endless);
    await expect(sse.run('chat:3', endless)).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    await sse.stop('chat:1');
    await sse.run('chat:3', endless);
  });

  it('counts a run once, also while its source has given nothing', async () => {
    const sse = await start({ runs: { active: 2 } });
    const silent = new Observable(() => undefined);
    const runs = [sse.run('chat:1', silent)];
    await until(() => sse.stats().runs === 1);
    runs.push(sse.run('chat:2', silent));
    await expect(sse.run('chat:3', silent)).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    for (const { channel } of await Promise.all(runs)) {
      expect(await sse.stop(channel)).toBe(true);
    }
  });

  it('does not begin the work of a source that comes when the run is over', async () => {
    const sse = await start();
    const begun: string[] = [];
    const left: string[] = [];
    const iterator = {
      next: () => Promise.resolve({ done: begun.push('iterator') > 1, value: 1 }),
      return: () => Promise.resolve({ done: left.push('iterator') > 0, value: undefined }),
    };
    const sources: (AsyncIterable<unknown> | Observable<unknown>)[] = [
      new Observable(() => void begun.push('Observable')),
      { [Symbol.asyncIterator]: () => iterator },
    ];
    for (const source of sources) {
      const run = sse.run('chat:1', async (signal) => {
        await once(signal, 'abort');
        return source;
      });
      await until(() => sse.stats().runs === 1);
      await sse.stop('chat:1');
      expect(await (await run).done).toMatchObject({ reason: 'stopped' });
    }
    await until(() => left.length > 0);
    expect(begun).toEqual([]);
  });

  it('logs no refusal as an error, and warns of the limit', async () => {
    const lines: string[] = [];
    const line = (level: string) => (message: unknown) => {
      lines.push(`${level}: ${String(message)}`);
    };
    const logger = { log: () => undefined, warn: line('warn'), error: line('error') };
    const options = { drainTimeout: 0, runs: { active: 1 } };
    const { sse } = await startApp({ options, logger: logger as never });
    const run = await sse.run('chat:1', new BehaviorSubject(1));
    await expect(sse.run('chat:2', of(1))).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    await sse.stop('chat:1');
    await run.done;
    const other = await startApp({ options: { drainTimeout: 0 }, logger: logger as never });
    await other.sse.run('chat:1', new BehaviorSubject(1));
    await expect(other.sse.run('chat:1', of(1))).rejects.toMatchObject({ code: 'RUN_ACTIVE' });
    expect(lines).toEqual([expect.stringMatching(/^warn: 1 runs are active on this instance/)]);
  });

  it('refuses what is no channel, no source and no option', async () => {
    const sse = await start();
    await expect(sse.run('', of(1))).rejects.toMatchObject({ code: 'INVALID_CHANNEL' });
    await expect(sse.run('chat:1', 5 as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(sse.run('chat:1', of(1), { durationn: 1 } as never)).rejects.toThrow('durationn');
    await expect(sse.run('chat:1', of({ type: 'sse:reset', data: 1 }))).rejects.toBeInstanceOf(
      SseError,
    );
    await expect(sse.stop('')).rejects.toMatchObject({ code: 'INVALID_CHANNEL' });
  });

  it('ends active runs at shutdown', async () => {
    const { app, sse } = await startApp({ options: { drainTimeout: 0 } });
    const run = await sse.run('chat:1', endless);
    await app.close();
    expect(await run.done).toMatchObject({ reason: 'shutdown' });
    expect(run.signal.aborted).toBe(true);
    await expect(sse.run('chat:1', endless)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('gives active runs the time of the drain to end', async () => {
    const { app, sse } = await startApp({ options: { drainTimeout: 30_000 } });
    const source = new BehaviorSubject('first');
    const run = await sse.run('chat:1', source);
    const closed = app.close();
    await until(() =>
      sse.run('chat:2', of(1)).then(
        () => false,
        () => true,
      ),
    );
    source.next('last');
    source.complete();
    expect(await run.done).toEqual({ reason: 'completed', chunks: 3 });
    await closed;
  });

  it('goes on when nobody reads it, and for a subscriber who left', async () => {
    const sse = await start();
    const source = new BehaviorSubject(0);
    const run = await sse.run('chat:1', source);
    const seen: unknown[] = [];
    const subscription = run.events$.subscribe(({ data }) => seen.push(data));
    await until(() => seen.length === 1);
    subscription.unsubscribe();
    source.next(2);
    source.complete();
    expect(await all(run.events$)).toEqual(['0', '2', '[DONE]']);
    expect(seen).toEqual(['0']);
  });
});
