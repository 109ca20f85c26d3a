import { Controller, Sse, type INestApplication } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { map, type Observable } from 'rxjs';
import {
  SseChannel,
  SseEvents,
  SseService,
  type CacheLike,
  type ChannelSink,
  type ChannelSource,
  type SseEvent,
} from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const storage = new AsyncLocalStorage<string>();
const seen = new Map<string, Set<string | undefined>>();

const note = (where: string): void => {
  const stores = seen.get(where) ?? new Set();
  seen.set(where, stores.add(storage.getStore()));
};

class NotingSource implements ChannelSource {
  sink: ChannelSink | undefined;

  open(_channel: string, sink: ChannelSink) {
    note('source.open');
    this.sink = sink;
    const timer = setInterval(() => {
      note('source timer');
      sink.append({ data: 'tick' });
    }, 5);
    sink.live();
    return {
      resume: () => note('source.resume'),
      pause: () => note('source.pause'),
      close: () => {
        clearInterval(timer);
        note('source.close');
      },
    };
  }
}

const cache: CacheLike = {
  get: () => {
    note('cache.get');
    return Promise.resolve(undefined);
  },
  set: () => Promise.resolve(),
  del: () => Promise.resolve(),
};

@Controller()
class ContextController {
  private readonly polled: Observable<SseEvent>;

  constructor(private readonly sse: SseService) {
    this.polled = sse.poll(
      () => {
        note('poll');
        return 'polled';
      },
      { interval: 5 },
    );
  }

  @Sse('poll')
  @SseChannel()
  poll() {
    note('handler');
    return this.polled;
  }

  @Sse('made')
  @SseChannel()
  made() {
    return this.sse.poll(
      () => {
        note('poll made by a request');
        return 'polled';
      },
      { interval: 5 },
    );
  }

  @Sse('source')
  @SseChannel('source', { source: new NotingSource() })
  source() {}

  @Sse('key')
  @SseChannel('key', { source: 'cache', interval: 5 })
  key() {}

  @Sse('mapped')
  @SseChannel('mapped')
  mapped(@SseEvents() events$: Observable<SseEvent>) {
    return events$.pipe(map(() => ({ data: storage.getStore() ?? 'none' })));
  }
}

describe.each(ADAPTERS)('Async contexts on %s', (adapter) => {
  afterEach(async () => {
    await closeApps();
    seen.clear();
  });

  let requests = 0;

  const perRequest = (app: INestApplication) => {
    if (adapter === 'fastify') {
      const fastify = app.getHttpAdapter().getInstance() as {
        addHook(
          name: string,
          hook: (request: unknown, reply: unknown, done: () => void) => void,
        ): void;
      };
      fastify.addHook('onRequest', (_request, _reply, done) =>
        storage.run(`request ${++requests}`, done),
      );
    } else {
      app.use((_request: unknown, _response: unknown, next: () => void) =>
        storage.run(`request ${++requests}`, next),
      );
    }
  };

  const start = () =>
    storage.run('start', () =>
      startApp({
        adapter,
        controllers: [ContextController],
        options: { cache, linger: 20 },
        prepare: perRequest,
      }),
    );

  it.each([
    ['/poll', ['poll']],
    ['/source', ['source.open', 'source timer', 'source.resume', 'source.pause', 'source.close']],
    ['/key', ['cache.get']],
  ])('of requests do not reach a source: %s', async (path, places) => {
    const { connect, sse } = await start();
    const clients = [await connect(path), await connect(path)];
    await until(() => sse.stats().readers === 2);
    await clients[0]!.close();
    await until(() => sse.stats().readers === 1);
    seen.get(places[0]!)?.forEach((store) => expect(store).toBe('start'));
    const third = await connect(path);
    await until(() => sse.stats().readers === 2);
    await Promise.all([clients[1]!.close(), third.close()]);
    await until(() => sse.stats().channels === 0);
    for (const place of places) {
      expect([place, ...(seen.get(place) ?? [])]).toEqual([place, 'start']);
    }
  });

  it('of a request belong to its own poll, because no other request reads it', async () => {
    const { connect } = await start();
    const client = await connect('/made');
    await client.take(3);
    expect(seen.get('poll made by a request')!.size).toBe(1);
  });

  it('of a request belong to its handler and its operators', async () => {
    const { connect, sse } = await start();
    const before = requests;
    const clients = [await connect('/mapped'), await connect('/mapped'), await connect('/mapped')];
    await until(() => sse.stats().readers === 3);
    await storage.run('publisher', () => sse.send('mapped', 'event'));
    const data = await Promise.all(clients.map(async (client) => (await client.next()).data));
    expect(data).toEqual([1, 2, 3].map((n) => `request ${before + n}`));
    await connect('/poll');
    await until(() => seen.has('handler'));
    expect([...seen.get('handler')!]).toEqual([`request ${before + 4}`]);
  });
});
