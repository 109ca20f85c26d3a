import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller, Sse, type INestApplication, type Type } from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { EventSource } from 'eventsource';
import { firstValueFrom, map, type Observable } from 'rxjs';
import {
  SseChannel,
  SseEvents,
  SseService,
  type ChannelSink,
  type ChannelSource,
  type SseEvent,
  type SseSnapshot,
} from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { codeBlocks } from './markdown.js';
import { removeBlocks, runBlock } from './run-block.js';

const RECIPES = 'docs/recipes.md';

afterEach(closeApps);
afterAll(removeBlocks);

async function opened(app: TestApp, path: string, cookie?: string) {
  const client = await app.connect(path, cookie === undefined ? {} : { headers: { cookie } });
  await until(() => client.lastEventId);
  return client;
}

it('The recipe for excluded fields leaves them out of what is sent', async () => {
  const { AppModule, User, changed } = await runBlock<{
    AppModule: Type;
    User: new () => { password: string };
    changed: (sse: SseService, user: object) => Promise<string>;
  }>(RECIPES, 'instanceToPlain');
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  try {
    const sse = app.get(SseService);
    await changed(sse, Object.assign(new User(), { password: 'secret' }));
    const event = await firstValueFrom(sse.stream('users', { lastEventId: 'earliest' }));
    expect(event.data).toEqual({ id: 0, name: '' });
  } finally {
    await app.close();
  }
});

describe.each(ADAPTERS)('The recipes on %s', (adapter) => {
  const start = (controller: Type, providers: Type[] = []) =>
    startApp({ adapter, controllers: [controller], providers });

  it('guard a stream by a cookie', async () => {
    const { MineController, SessionGuard } = await runBlock<Record<string, Type>>(
      RECIPES,
      'SessionGuard',
    );
    const app = await start(MineController!, [SessionGuard!]);
    expect((await app.connect('/me/events')).opened.status).toBe(403);
    const ann = await opened(app, '/me/events', 'a=b; session=ann');
    await app.sse.send('user:bob', 'for Bob');
    await app.sse.send('user:ann', 'for Ann');
    expect((await ann.next()).data).toBe('for Ann');
  });

  it('open a stream by one-time tickets, and go on by new ones', async () => {
    const { TicketedController, TokenGuard } = await runBlock<Record<string, Type>>(
      RECIPES,
      'TicketedController',
    );
    const app = await start(TicketedController!, [TokenGuard!]);
    const job = `${app.url}/jobs/7`;
    expect((await fetch(`${job}/ticket`, { method: 'POST' })).status).toBe(403);
    const { code } = codeBlocks(RECIPES).find((block) => block.code.includes('followByTickets'))!;
    const followByTickets = new Function(
      'EventSource',
      `${code.replace('export ', '')} return followByTickets;`,
    )(EventSource) as (options: object) => () => void;

    const received: { type: string; data: string }[] = [];
    const tickets: string[] = [];
    let ended = 0;
    followByTickets({
      url: `${job}/events`,
      fetchTicket: async () => {
        const headers = { authorization: 'Bearer ann' };
        const response = await fetch(`${job}/ticket`, { method: 'POST', headers });
        const { ticket } = (await response.json()) as { ticket: string };
        tickets.push(ticket);
        return ticket;
      },
      onEvent: (event: { type: string; data: string }) => received.push(event),
      onEnd: () => ended++,
    });
    const data = () => received.filter(({ type }) => type === 'message').map((one) => one.data);
    await until(() => received.length === 1);
    await app.sse.send('job:7', 'one');
    await until(() => data().length === 1);
    app.app.getHttpServer().closeAllConnections();
    await app.sse.send('job:7', 'missed');
    await until(() => data().length === 2);
    await app.sse.complete('job:7');
    await until(() => ended === 1);
    expect(data()).toEqual(['one', 'missed', '[DONE]']);
    expect(received.filter(({ type }) => type === 'sse:reset')).toEqual([]);
    expect(new Set(tickets).size).toBe(2);
    expect((await fetch(`${job}/events?ticket=${tickets[0]}`)).status).toBe(401);
  });

  it('log out everywhere, and nobody else', async () => {
    const { LogOutController, LogInGuard, sessions } = await runBlock<{
      LogOutController: Type;
      LogInGuard: Type;
      sessions: Map<string, string>;
    }>(RECIPES, 'LogOutController');
    const all = ['ann-1', 'ann-2', 'bob-1'];
    for (const session of all) sessions.set(session, session.slice(0, 3));
    const app = await start(LogOutController, [LogInGuard]);
    const [one, two, bob] = await Promise.all(
      all.map((session) => opened(app, '/me/news', `session=${session}`)),
    );
    const headers = { cookie: 'session=ann-2' };
    await fetch(`${app.url}/log-out-everywhere`, { method: 'POST', headers });
    for (const client of [one!, two!]) {
      expect((await client.closed).by).toBe('server');
      expect((await client.reconnect()).opened.status).toBe(403);
    }
    await app.sse.send('news', 'goes on');
    expect((await bob!.next()).data).toBe('goes on');
  });

  it('show who is here and who types', async () => {
    const { HereController } = await runBlock<Record<string, Type>>(RECIPES, 'HereController');
    const { TypingController } = await runBlock<Record<string, Type>>(RECIPES, 'TypingController');
    const app = await startApp({ adapter, controllers: [HereController!, TypingController!] });
    const as = (user: string) => ({ headers: { 'x-user': user } });
    const ann = await app.connect('/rooms/lobby/here', as('ann'));
    await ann.until(({ data }) => data.includes('ann'));
    await app.connect('/rooms/lobby/here', as('bob'));
    await ann.until(({ type, data }) => type === 'sse:join' && data.includes('bob'));
    const eve = await app.connect('/rooms/lobby/here', as('eve'));
    const { state } = JSON.parse((await eve.next({ type: 'sse:snapshot' })).data) as SseSnapshot;
    expect(state).toEqual(expect.arrayContaining(['ann', 'bob']));
    await fetch(`${app.url}/rooms/lobby/typing`, { method: 'POST', ...as('bob') });
    expect((await ann.until(({ type }) => type === 'typing')).data).toBe('{"from":"bob"}');
  });

  it('bring signs to who is there, and to nobody later', async () => {
    const { SignsController } = await runBlock<Record<string, Type>>(RECIPES, 'SignsController');
    const { sse, connect } = await start(SignsController!);
    const ann = await connect('/rooms/lobby/with-signs');
    const sign = (from: string) => sse.send('signs:lobby', { from }, { type: 'typing' });
    await sign('bob');
    expect(await ann.next()).toMatchObject({ type: 'typing', data: '{"from":"bob"}' });
    await sse.send('room:lobby', 'first');
    expect(await ann.next()).toMatchObject({ type: 'message', data: 'first' });
    await ann.close();
    await sign('missed');
    await sse.send('room:lobby', 'second');
    const back = await ann.reconnect();
    try {
      expect(await back.next()).toMatchObject({ type: 'message', data: 'second' });
      await sign('eve');
      expect(await back.next()).toMatchObject({ type: 'typing', data: '{"from":"eve"}' });
      expect(back.lastEventId).toBe(back.events[0]!.id);
    } finally {
      await back.close();
    }
  });

  it('give the seat to the newest tab', async () => {
    const { GameController, SeatGuard } = await runBlock<Record<string, Type>>(
      RECIPES,
      'GameController',
    );
    const app = await start(GameController!, [SeatGuard!]);
    const as = (user: string) => ({ headers: { 'x-user': user } });
    const take = async (tab: string, user: string) => {
      await fetch(`${app.url}/game/seat/${tab}`, { method: 'POST', ...as(user) });
      // For a second after `disconnect()` the module sends newcomers away, to return.
      return until(
        async () => {
          const client = await app.connect(`/game?tab=${tab}`, as(user));
          return app.sse.connections({ client: user }).length > 0 && client;
        },
        { every: 100 },
      );
    };
    const [other, old] = await Promise.all([take('b', 'bob'), take('a1', 'ann')]);
    const newest = await take('a2', 'ann');
    expect((await old.closed).by).toBe('server');
    expect((await old.reconnect()).opened.status).toBe(403);
    expect((await app.connect('/game', as('eve'))).opened.status).toBe(403);
    await app.sse.send('game', 'begins');
    for (const client of [other, newest]) expect((await client.next()).data).toBe('begins');
  });

  it('stream several channels that the client chooses', async () => {
    const { TopicsController } = await runBlock<Record<string, Type>>(RECIPES, 'TopicsController');
    const app = await start(TopicsController!);
    expect((await app.connect('/events?topics=secret')).opened.status).toBe(404);
    const client = await opened(app, '/events?topics=news,secret,sport');
    await app.sse.send('weather', 'not asked for');
    await app.sse.send('secret', 'not public');
    await app.sse.send('sport', 'one');
    await app.sse.send('news', 'two');
    expect((await client.take(2)).map(({ data }) => data)).toEqual(['one', 'two']);
  });

  it('report progress that ends', async () => {
    const { Jobs, JobsController } = await runBlock<Record<string, Type>>(RECIPES, 'class Jobs ');
    const app = await start(JobsController!, [Jobs!]);
    const client = await opened(app, '/jobs/7/events');
    await (app.app.get(Jobs!) as { run(id: string): Promise<void> }).run('7');
    expect((await client.closed).by).toBe('server');
    expect(client.events.map(({ data }) => data)).toEqual([
      ...Array.from({ length: 11 }, (_, i) => `{"percent":${i * 10}}`),
      '[DONE]',
    ]);
    expect((await client.reconnect()).opened.status).toBe(204);
    const late = await app.connect('/jobs/7/events?lastEventId=earliest');
    expect((await late.next()).data).toBe('{"percent":0}');
  });

  it('stream from a plain @Sse() with ids, resume, reset and end', async () => {
    const { PlainController } = await runBlock<Record<string, Type>>(RECIPES, 'PlainController');
    const app = await start(PlainController!);
    const client = await app.connect('/plain');
    await until(() => app.sse.stats().readers === 1);
    const id = await app.sse.send('news', { title: 'first' }, { type: 'article' });
    expect(await client.next()).toMatchObject({ type: 'article', data: '{"title":"first"}', id });
    await client.close();
    await app.sse.send('news', 'missed');
    const again = await client.reconnect();
    expect((await again.next()).data).toBe('missed');
    const lost = await app.connect('/plain', { lastEventId: 'from-elsewhere' });
    expect(JSON.parse((await lost.next({ type: 'sse:reset' })).data)).toEqual({
      channel: 'news',
      reason: 'unknown-position',
    });
    await app.sse.complete('news');
    expect((await again.next()).data).toBe('[DONE]');
    expect((await again.closed).by).toBe('server');
    await lost.close();
  });

  it('run a handler in its request’s async context, and a source in none', async () => {
    const storage = new AsyncLocalStorage<string>();
    const polledIn: (string | undefined)[] = [];

    @Controller()
    class ContextController {
      private readonly polled$: Observable<SseEvent>;

      constructor(sse: SseService) {
        this.polled$ = sse.poll(() => ({ in: polledIn.push(storage.getStore()) }), {
          interval: 10,
        });
      }

      @Sse('mapped')
      @SseChannel('news')
      mapped(@SseEvents() events$: Observable<SseEvent<string>>) {
        return events$.pipe(map(({ data }) => ({ data: `${data} in ${storage.getStore()}` })));
      }

      @Sse('polled')
      @SseChannel()
      polled() {
        return this.polled$;
      }
    }

    const app = await startApp({
      adapter,
      controllers: [ContextController],
      prepare: (nest: INestApplication) => {
        let requests = 0;
        nest.use((_request: unknown, _response: unknown, next: () => void) =>
          storage.run(`request ${++requests}`, next),
        );
      },
    });
    const first = await opened(app, '/mapped');
    const second = await opened(app, '/mapped');
    await storage.run('the publisher', () => app.sse.send('news', 'event'));
    expect((await first.next()).data).toBe('event in request 1');
    expect((await second.next()).data).toBe('event in request 2');
    const polled = await app.connect('/polled');
    await polled.take(3);
    expect(new Set(polledIn)).toEqual(new Set([undefined]));
  });

  it('feed a channel from the user’s own source', async () => {
    const { MemoryController, MemorySource } = await runBlock<Record<string, Type>>(
      RECIPES,
      'MemorySource',
    );
    const app = await start(MemoryController!, [MemorySource!]);
    const client = await app.connect('/memory');
    const event = await client.next({ type: 'memory' });
    expect(JSON.parse(event.data)).toMatchObject({ rss: expect.any(Number) });
  });

  it('exempt streams from a global timeout', async () => {
    const { NoTimeout, TimeoutInterceptor } = await runBlock<{
      NoTimeout: () => MethodDecorator;
      TimeoutInterceptor: Type;
    }>(RECIPES, 'TimeoutInterceptor');

    @Controller()
    class TimedController {
      @NoTimeout()
      @Sse('exempt')
      @SseChannel('news')
      exempt() {}

      @Sse('timed')
      @SseChannel('news')
      timed() {}
    }

    const app = await startApp({
      adapter,
      controllers: [TimedController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: TimeoutInterceptor }],
    });
    const exempt = await app.connect('/exempt');
    const timed = await app.connect('/timed');
    expect((await timed.closed).by).toBe('server');
    await app.sse.send('news', 'still there');
    expect((await exempt.next()).data).toBe('still there');
  });
});

it('The recipe for tests is a test that passes', async () => {
  const { testNews } = await runBlock<{ testNews(): Promise<void> }>(RECIPES, 'testNews');
  await testNews();
});

it('The README’s handler filters events for each client', async () => {
  const { NoticesController } = await runBlock<Record<string, Type>>(
    'README.md',
    'NoticesController',
  );
  const app = await startApp({ controllers: [NoticesController!] });
  const client = await opened(app, '/notices');
  await app.sse.send('notices', { level: 1 });
  await app.sse.send('notices', { level: 2 });
  expect((await client.next()).data).toBe('{"level":2}');
});

it('The README’s browser code shows events, notices a reset, and ends the stream', async () => {
  let sink: ChannelSink | undefined;
  const fed: ChannelSource = {
    open: (_channel, channel) => {
      sink = channel;
      channel.live();
      return { close: () => undefined };
    },
  };

  @Controller()
  class LobbyController {
    @Sse('rooms/lobby/events')
    @SseChannel('lobby', { source: fed })
    events() {}
  }

  const app = await startApp({ controllers: [LobbyController] });
  const shown: unknown[] = [];
  let loads = 0;
  let source: EventSource | undefined;
  /** As a page of the application has it: addresses are relative to the application's. */
  class PageEventSource extends EventSource {
    constructor(path: string) {
      super(app.url + path);
      // oxlint-disable-next-line typescript/no-this-alias
      source = this;
    }
  }
  const { code } = codeBlocks('README.md').find(({ language }) => language === 'js')!;
  // oxlint-disable-next-line no-new-func
  const page = new Function('EventSource', 'show', 'loadEverythingAnew', code) as (
    ...globals: unknown[]
  ) => void;
  page(
    PageEventSource,
    (what: unknown) => shown.push(what),
    () => loads++,
  );
  try {
    await until(() => loads === 1 && app.sse.stats().readers === 1);
    sink!.append({ data: '{"text":"Hello"}', retry: 10 });
    sink!.reset('listener-gap');
    await until(() => loads === 2);
    sink!.append({ data: '[DONE]', end: true });
    await until(() => shown.length === 3);
    expect(shown).toEqual([{ text: 'Hello' }, 'The run is over.', 'The stream has ended.']);
    expect(source!.readyState).toBe(EventSource.CLOSED);
  } finally {
    source?.close();
  }
});
