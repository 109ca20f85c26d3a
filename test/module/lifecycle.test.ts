import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Agent, get, type IncomingMessage } from 'node:http';
import { finalize, interval, map, merge, type Observable } from 'rxjs';
import { SseChannel, SseEvents, SseModule, SseService, type SseEvent } from '../../lib/index.js';
import { freePort } from '../support/free-port.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

let running = 0;

@Controller()
class StreamsController {
  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('both')
  @SseChannel(() => ['news', 'sport'])
  both() {}

  @Sse('posted', { method: RequestMethod.POST })
  @SseChannel('news')
  posted() {}

  @Sse('interval')
  @SseChannel()
  interval() {
    running++;
    return interval(10).pipe(
      map((n) => ({ data: `${n}` })),
      finalize(() => running--),
    );
  }

  @Sse('merged')
  @SseChannel('news')
  merged(@SseEvents() events$: Observable<SseEvent>) {
    running++;
    return merge(events$, interval(10)).pipe(finalize(() => running--));
  }

  @Sse('waiting')
  @SseChannel('news', { source: 'postgres' })
  waiting() {}
}

@Controller()
class UnnamedController {
  @SseChannel('news')
  events() {}
}

@Controller()
class NoPostgresController {
  @Sse('events')
  @SseChannel('news', { source: 'postgres' })
  events() {}
}

/** Longer than a test may last: closing that waits for as long as it may does not pass. */
const LONG_DRAIN = { drainTimeout: 600_000 };

describe.each(ADAPTERS)('An application on %s', (adapter) => {
  afterEach(closeApps);

  const start = async (options = {}) =>
    startApp({
      adapter,
      controllers: [StreamsController],
      options: {
        postgres: `postgres://u:p@127.0.0.1:${await freePort()}/none`,
        readyTimeout: 20,
        ...options,
      },
    });

  it('closes at once with streams of every kind, on kept-alive sockets too', async () => {
    const { app, connect, url, sse } = await start(LONG_DRAIN);
    const agent = new Agent({ keepAlive: true });
    const kept = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${url}/news`, { agent }, resolve).once('error', reject);
    });
    kept.resume();
    const paths = ['/news', '/both', '/interval', '/merged', '/waiting'];
    const clients = await Promise.all([
      ...paths.flatMap((path) => [connect(path), connect(path)]),
      connect('/posted', {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      }),
    ]);
    const aborted = new AbortController();
    const fetched = await fetch(`${url}/news`, { signal: aborted.signal });
    await until(() => sse.stats().connections === clients.length + 2);
    expect(running).toBe(4);
    await app.close();
    for (const client of clients) {
      expect((await client.closed).by).toBe('server');
      expect(client.retry).toBeLessThanOrEqual(LONG_DRAIN.drainTimeout);
    }
    expect(await fetched.text()).toMatch(/retry: \d+\n\n$/);
    expect(running).toBe(0);
    expect(sse.stats()).toMatchObject({ connections: 0, readers: 0, channels: 0 });
    agent.destroy();
  });

  it('closes at once with a client whose source is away', async () => {
    const { app, connect, sse } = await start(LONG_DRAIN);
    const client = await connect('/waiting');
    expect(client.opened.status).toBe(200);
    await app.close();
    expect(sse.stats().connections).toBe(0);
  });

  it('spreads the return of its clients over the drain timeout', async () => {
    const { app, connect, sse } = await start({ drainTimeout: 10_000 });
    const clients = await Promise.all(Array.from({ length: 30 }, () => connect('/news')));
    await until(() => sse.stats().connections === 30);
    await app.close();
    await Promise.all(clients.map(({ closed }) => closed));
    const retries = clients.map(({ retry }) => retry!);
    expect(new Set(retries).size).toBeGreaterThan(20);
    expect(Math.max(...retries)).toBeLessThanOrEqual(10_000);
    expect(Math.max(...retries) - Math.min(...retries)).toBeGreaterThan(3_000);
  });

  it('can be closed twice, and another can start in the same process afterwards', async () => {
    for (let i = 0; i < 3; i++) {
      const { app, connect, sse } = await start();
      const client = await connect('/news');
      await until(() => client.lastEventId);
      await sse.send('news', 'event');
      expect((await client.next()).data).toBe('event');
      await Promise.all([app.close(), app.close()]);
      await app.close();
    }
  });

  it('shares nothing with another application of the same process', async () => {
    const one = await start();
    const two = await start();
    const clients = [await one.connect('/news'), await two.connect('/news')];
    await until(() => clients.every(({ lastEventId }) => lastEventId));
    await one.sse.send('news', 'one');
    await two.sse.send('news', 'two');
    expect((await clients[0]!.next()).data).toBe('one');
    expect((await clients[1]!.next()).data).toBe('two');
    await one.close();
    await two.sse.send('news', 'three');
    expect((await clients[1]!.next()).data).toBe('three');
    expect(clients[0]!.events).toHaveLength(1);
  });

  it('refuses to publish and to read after it has closed', async () => {
    const { app, sse } = await start();
    await sse.send('news', 'event');
    await app.close();
    const closed = expect.objectContaining({ code: 'CLOSED' });
    await expect(sse.send('news', 'event')).rejects.toEqual(closed);
    await expect(sse.complete('news')).rejects.toEqual(closed);
    await expect(sse.sendKey('key', 'value')).rejects.toEqual(closed);
    const errors: unknown[] = [];
    sse.stream('news').subscribe({ error: (error: unknown) => errors.push(error) });
    sse.streamKey('key').subscribe({ error: (error: unknown) => errors.push(error) });
    sse.poll(() => 'x').subscribe({ error: (error: unknown) => errors.push(error) });
    expect(errors).toEqual([closed, closed, closed]);
    expect(sse.stats()).toMatchObject({ channels: 0, readers: 0 });
  });

  it('does not start with a wrong endpoint', async () => {
    const failing = startApp({ adapter, controllers: [UnnamedController] });
    await expect(failing).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/UnnamedController\.events .*no @Sse\(\)/),
    });
    await expect(startApp({ adapter, controllers: [NoPostgresController] })).rejects.toMatchObject({
      code: 'NOT_CONFIGURED',
      message: expect.stringMatching(/NoPostgresController\.events.*postgres/),
    });
  });

  describe('while its servers cannot be reached', () => {
    const unreachable = async () => ({
      redis: `redis://127.0.0.1:${await freePort()}`,
      postgres: `postgres://u:p@127.0.0.1:${await freePort()}/none`,
    });

    it('starts, and its streams open', async () => {
      const { connect, sse, app } = await start({
        ...LONG_DRAIN,
        ...(await unreachable()),
        heartbeat: 30,
      });
      const client = await connect('/waiting');
      expect(client.opened.status).toBe(200);
      await until(() => client.comments.length > 1);
      expect(client.events).toEqual([]);
      expect(sse.stats().connections).toBe(1);
      await app.close();
    });

    it.each(['redis', 'postgres'] as const)('does not start with failFast: %s', async (name) => {
      const { [name]: url } = await unreachable();
      await expect(
        startApp({ adapter, options: { [name]: url, failFast: true } }),
      ).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(/failFast/),
      });
    });

    it.each(['redis', 'postgres', 'eventTable'] as const)(
      'logs nothing of a next attempt with failFast, as there is none: %s',
      async (name) => {
        const { redis, postgres } = await unreachable();
        const options = name === 'redis' ? { redis } : { postgres };
        const lines: string[] = [];
        const note = (line: unknown): void => void lines.push(String(line));
        const starting = startApp({
          adapter,
          options: { ...options, ...(name === 'eventTable' && { eventTable: {} }), failFast: true },
          logger: { log: note, warn: note, error: note },
        });
        await expect(starting).rejects.toMatchObject({ code: 'UNAVAILABLE' });
        expect(lines.filter((line) => /retr|rying/i.test(line))).toEqual([]);
      },
    );
  });
});

describe('An application that does not listen', () => {
  it('publishes, reads and closes all the same', async () => {
    const module = await Test.createTestingModule({
      imports: [SseModule.forRoot(LONG_DRAIN)],
    }).compile();
    await module.init();
    const sse = module.get(SseService);
    const received: string[] = [];
    const subscription = sse.stream<string>('news').subscribe(({ data }) => received.push(data));
    await sse.send('news', 'event');
    await until(() => received.length === 1);
    subscription.unsubscribe();
    await module.close();
  });
});

describe('@SseChannel()', () => {
  const define = (...args: Parameters<typeof SseChannel>) => {
    class Events {
      stream() {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Events.prototype, 'stream')!;
    return () => SseChannel(...args)(Events.prototype, 'stream', descriptor);
  };

  it.each([
    ['an empty name', '', {}],
    ['a number', 7, {}],
    ['an array', ['a'], {}],
    ['null', null, {}],
    ['an unknown overflow', 'a', { overflow: 'drop' }],
    ["overflow 'latest' without a key", 'a', { overflow: 'latest' }],
    ['a latest that is no function', 'a', { overflow: { latest: 'key' } }],
    ['an overflow that says two things', 'a', { overflow: { latest: () => 'a', reset: true } }],
    ['expires that is no function', 'a', { expires: 7 }],
    ['client that is no function', 'a', { client: 'ip' }],
  ])('refuses %s', (_, channels, options) => {
    expect(define(channels as string, options as object)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('Events.stream'),
      }),
    );
  });

  it('refuses a wrong name', () => {
    for (const name of ['x'.repeat(1_025), 'a\0b']) {
      expect(define(name)).toThrow(expect.objectContaining({ code: 'INVALID_CHANNEL' }));
    }
  });

  it('refuses to stand twice on one handler', () => {
    expect(() => {
      class Twice {
        @SseChannel('a')
        @SseChannel('b')
        events() {}
      }
      return Twice;
    }).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/Twice\.events has two/),
      }),
    );
  });

  it.each([
    [{ source: 'kafka' }, /`source` is "kafka"/],
    [{ source: {} }, /`source` is/],
    [{ source: 'cache', interval: 0 }, /`interval` is 0/],
    [{ source: 'cache', mode: 'look' }, /`mode` is "look"/],
    [{ source: 'cache', poller: 'all' }, /`poller` is "all"/],
    [{ source: 'cache', poller: 'elected' }, /`poller` is "elected".* Set `redis`/],
    [
      { source: 'cache', poller: 'elected', mode: 'watch' },
      /`mode` is "watch".* Leave `poller` out/,
    ],
    [{ poller: 'elected' }, /`poller` is an option of the source 'cache'/],
  ])('keeps the application from starting with %p', async (options, message) => {
    const start = async () => {
      @Controller()
      class WrongController {
        @Sse('events')
        @SseChannel('news', options as object)
        events() {}
      }
      await startApp({ controllers: [WrongController] });
    };
    await expect(start()).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(message),
    });
    await expect(start()).rejects.toMatchObject({
      message: expect.stringContaining('WrongController.events'),
    });
  });
});
