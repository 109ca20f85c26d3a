import { Controller, Injectable, Sse, type MessageEvent } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { firstValueFrom, lastValueFrom, map, take, toArray, type Observable } from 'rxjs';
import {
  isReset,
  type PollOptions,
  SseService,
  type SseEvent,
  type SseModuleOptions,
  type SseReset,
} from '../../lib/index.js';
import {
  createDatabase,
  createRedis,
  type TestDatabase,
  type TestRedis,
} from '../support/databases.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

interface Job {
  readonly progress: number;
}

/** A provider that has never seen a request. */
@Injectable()
class Jobs {
  constructor(readonly sse: SseService) {}

  progress(): Observable<SseEvent<Job>> {
    return this.sse.stream<Job>('job');
  }
}

// What follows is checked by the compiler.
const typed = (jobs: Jobs, sse: SseService) => {
  const messages: Observable<MessageEvent> = jobs.progress();
  const keys: Observable<MessageEvent> = sse.streamKey<Job>('key');
  const notifications: Observable<MessageEvent> = sse.streamPostgres<string>('channel');
  const polled: Observable<MessageEvent> = sse.poll(() => ({ progress: 1 }));
  const numbers: Observable<number> = jobs.progress().pipe(map(({ data }) => data.progress));
  const texts: Observable<string> = sse.poll(() => 'text').pipe(map(({ data }) => data));
  // @ts-expect-error Data is never a bare number.
  sse.stream<number>('news');
  // @ts-expect-error What is polled is text or JSON.
  sse.poll(() => 7);
  // @ts-expect-error Events are shared.
  jobs.progress().subscribe((event) => (event.id = 'x'));
  return { messages, keys, notifications, polled, numbers, texts };
};

@Controller()
class PlainController {
  constructor(private readonly jobs: Jobs) {}

  @Sse('plain')
  plain(): Observable<MessageEvent> {
    return this.jobs.progress();
  }
}

let redis: TestRedis;
let database: TestDatabase;

beforeAll(async () => {
  [redis, database] = await Promise.all([createRedis(), createDatabase()]);
});

afterAll(() => Promise.all([redis.drop(), database.drop()]));

afterEach(closeApps);

const start = async (options: SseModuleOptions = {}) => {
  const started = await startApp({
    options: { linger: 30, ...options },
    providers: [Jobs],
    controllers: [PlainController],
  });
  return { ...started, jobs: started.app.get(Jobs) };
};

/** Subscribes several times, and notes what each subscriber receives. */
const collect = <T extends string | object>(stream: Observable<SseEvent<T>>, count = 3) => {
  const received = Array.from({ length: count }, (): SseEvent<T>[] => []);
  const completed = new Set<number>();
  const subscriptions = received.map((events, index) =>
    stream.subscribe({
      next: (event) => void events.push(event),
      complete: () => void completed.add(index),
    }),
  );
  return {
    received,
    completed,
    data: () => received.map((events) => events.map(({ data }) => data)),
    stop: () => subscriptions.forEach((subscription) => subscription.unsubscribe()),
  };
};

const released = (sse: SseService) =>
  until(() => {
    const { readers, channels, polledKeys, connections } = sse.stats();
    return readers + channels + polledKeys + connections === 0;
  });

describe('SseService', () => {
  it('streams channels from a provider, and gives each subscriber all events', async () => {
    const { sse, jobs } = await start();
    const all = collect(jobs.progress());
    expect(sse.stats()).toMatchObject({ readers: 3, channels: 1 });
    const id = await sse.send('job', { progress: 1 }, { type: 'progress', retry: 5 });
    await sse.send('job', { progress: 2 });
    await until(() => all.received.every(({ length }) => length === 2));
    expect(all.received[0]![0]).toEqual({
      channel: 'job',
      id,
      type: 'progress',
      retry: 5,
      data: { progress: 1 },
    });
    expect(all.received[1]).toEqual(all.received[0]);
    await sse.complete('job');
    await until(() => all.completed.size === 3);
    expect(all.received.map((events) => events.at(-1)!.data)).toEqual([
      '[DONE]',
      '[DONE]',
      '[DONE]',
    ]);
    await released(sse);
    expect(typed).toBeInstanceOf(Function);
  });

  it('streams several channels in order, and resumes them', async () => {
    const { sse } = await start();
    const all = collect(sse.stream<string>(['a', 'b', 'a']), 2);
    expect(sse.stats()).toMatchObject({ readers: 4, channels: 2 });
    for (let i = 0; i < 10; i++) {
      await sse.send(i % 2 ? 'a' : 'b', `${i}`);
    }
    await until(() => all.received.every(({ length }) => length === 10));
    const expected = Array.from({ length: 10 }, (_, i) => `${i}`);
    expect(all.data()).toEqual([expected, expected]);
    expect(all.received[0]!.map(({ channel }) => channel)).toEqual(
      expected.map((n) => (Number(n) % 2 ? 'a' : 'b')),
    );
    const lastEventId = all.received[0]![3]!.id;
    all.stop();
    const rest = sse.stream<string>(['a', 'b'], { lastEventId }).pipe(take(6), toArray());
    expect((await firstValueFrom(rest)).map(({ data }) => data)).toEqual(expected.slice(4));
    await released(sse);
  });

  it('streams from the oldest event, from behind an id, or after a reset', async () => {
    const { sse } = await start({ linger: 10_000 });
    const id = await sse.send('news', 'one');
    await sse.send('news', 'two');
    const from = async (lastEventId: string) =>
      firstValueFrom(sse.stream<string>('news', { lastEventId }));
    expect((await from('earliest')).data).toBe('one');
    expect((await from(id)).data).toBe('two');
    const reset: SseEvent<string | SseReset> = await from('elsewhere');
    expect(isReset(reset)).toBe(true);
    expect(reset.data).toEqual({ channel: 'news', reason: 'unknown-position' });
  });

  it('refuses to stream no channel', async () => {
    const { sse } = await start();
    for (const names of [[], 5, {}, () => 'a']) {
      const stream = () => sse.stream(names as never);
      expect(stream).toThrow(expect.objectContaining({ code: 'INVALID_CHANNEL' }));
    }
    expect(() => sse.streamPostgres('c')).toThrow(
      expect.objectContaining({
        code: 'NOT_CONFIGURED',
        message: expect.stringContaining('postgres'),
      }),
    );
    await expect(sse.notify('c', 'x')).rejects.toMatchObject({ code: 'NOT_CONFIGURED' });
    expect(() => sse.streamKey('')).toThrow(expect.objectContaining({ code: 'INVALID_CHANNEL' }));
    expect(() => sse.streamKey('k', { interval: 0 })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
    expect(() => sse.poll(7 as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    await expect(sse.sendKey('k', undefined)).rejects.toMatchObject({ code: 'INVALID_EVENT' });
    await expect(sse.sendKey('k', 'x', { type: 'a\nb' })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
    });
  });

  it('does not let a subscriber that fails disturb the others', async () => {
    const { sse } = await start();
    const all = collect(sse.stream<string>('news'), 1);
    const failing = firstValueFrom(
      sse.stream<string>('news').pipe(
        map(() => {
          throw new Error('of the subscriber');
        }),
      ),
    );
    const after = collect(sse.stream<string>('news'), 1);
    await sse.send('news', 'event');
    await expect(failing).rejects.toThrow('of the subscriber');
    await until(() => all.received[0]!.length + after.received[0]!.length === 2);
    expect(sse.stats().readers).toBe(2);
  });

  it.each(['in this process', 'on Redis'])(
    'streams keys %s, and polls each once',
    async (where) => {
      const { sse } = await start(where === 'on Redis' ? { redis: redis.url } : {});
      const key = `${redis.keyPrefix}key`;
      const all = collect(sse.streamKey<string>(key, { interval: 20 }));
      await until(() => sse.stats().readers === 3 && sse.stats().polledKeys > 0);
      expect(sse.stats()).toMatchObject({ polledKeys: 1, channels: 1, readers: 3 });
      await sse.sendKey(key, 'one');
      await sse.sendKey(key, { two: 2 });
      await until(() => all.received.every(({ length }) => length === 2));
      expect(all.data()).toEqual(Array.from({ length: 3 }, () => ['one', { two: 2 }]));
      await sse.sendKey(key, '[DONE]');
      await until(() => all.completed.size === 3);
      await released(sse);
    },
  );

  it('streams notifications, and listens to each channel once', async () => {
    const { sse } = await start({ postgres: database.url });
    const all = collect(sse.streamPostgres<string | Job>('Quoted "channel"'));
    await until(async () => {
      await sse.notify('Quoted "channel"', 'ping');
      return all.received.every(({ length }) => length > 0);
    });
    await sse.notify('Quoted "channel"', { progress: 3 });
    await until(() => all.data().every((data) => data.some((each) => typeof each === 'object')));
    expect(all.received[0]!.at(-1)).toMatchObject({ data: { progress: 3 } });
    all.stop();
    await released(sse);
  });

  it("ends a polled stream by the module's done signal, unless the poll has its own", async () => {
    const { sse } = await start({ doneSignal: 'BYE' });
    const polled = async (options: PollOptions) => {
      const values = ['a', '[DONE]', 'BYE', 'own'];
      const read = () => values.shift();
      const events = sse.poll(read, { interval: 1, ...options }).pipe(map(({ data }) => data));
      return lastValueFrom(events.pipe(take(4), toArray()));
    };
    expect(await polled({})).toEqual(['a', '[DONE]', 'BYE']);
    expect(await polled({ doneSignal: '[DONE]' })).toEqual(['a', '[DONE]']);
    expect(await polled({ doneSignal: false })).toEqual(['a', '[DONE]', 'BYE', 'own']);
  });

  it('polls a function once for all subscribers, and not without any', async () => {
    const { sse } = await start();
    let reads = 0;
    const values: (string | null | undefined | Error)[] = [
      'a',
      null,
      undefined,
      new Error('x'),
      'b',
    ];
    const polled = sse.poll(
      () => {
        const value = values[reads++];
        if (value instanceof Error) throw value;
        return value ?? (reads > 5 ? `${reads}` : null);
      },
      { interval: 5, type: 'tick' },
    );
    expect(reads).toBe(0);
    const all = collect(polled);
    await until(() => all.received.every(({ length }) => length > 3));
    expect(all.received[0]!.slice(0, 3).map(({ data }) => data)).toEqual(['a', 'b', '6']);
    expect(all.received[0]![0]).toMatchObject({ type: 'tick' });
    expect(
      new Set(
        all.received.map((events) =>
          events
            .slice(0, 4)
            .map(({ id }) => id)
            .join(),
        ),
      ).size,
    ).toBe(1);
    all.stop();
    await released(sse);
    const count = reads;
    const again = collect(polled, 1);
    await until(() => again.received[0]!.length > 1);
    expect(reads).toBeGreaterThan(count);
    again.stop();
    await released(sse);
  });

  it('gives plain @Sse() handlers ids to resume from', async () => {
    for (const adapter of ADAPTERS) {
      const { connect, sse } = await startApp({
        adapter,
        providers: [Jobs],
        controllers: [PlainController],
      });
      const client = await connect('/plain');
      await until(() => sse.stats().readers === 1);
      const id = await sse.send('job', { progress: 1 }, { type: 'progress' });
      expect(await client.next()).toMatchObject({ type: 'progress', data: '{"progress":1}', id });
      await client.close();
      await until(() => sse.stats().readers === 0);
    }
  });

  it('counts what is open and what was refused', async () => {
    const { sse, connect } = await start({ linger: 10_000 });
    expect(sse.stats()).toEqual({
      connections: 0,
      opening: 0,
      channels: 0,
      readers: 0,
      retained: { events: 0, bytes: 0 },
      polledKeys: 0,
      runs: 0,
      refused: { closing: 0, capacity: 0, 'client-limit': 0, 'channel-limit': 0 },
      stalled: 0,
    });
    await sse.send('news', 'x'.repeat(1_000));
    const { retained, channels } = sse.stats();
    expect(channels).toBe(1);
    expect(retained.events).toBe(1);
    expect(retained.bytes).toBeGreaterThanOrEqual(1_000);
    await connect('/plain');
    await until(() => sse.stats().readers === 1);
    expect(sse.stats().connections).toBe(0);
  });
});
