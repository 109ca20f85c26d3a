import {
  Controller,
  Header,
  HttpCode,
  HttpException,
  Injectable,
  Param,
  Post,
  RequestMethod,
  Res,
  Scope,
  Sse,
  SseSignal,
  type LoggerService,
} from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  concat,
  concatWith,
  defer,
  EMPTY,
  finalize,
  interval,
  map,
  merge,
  NEVER,
  Observable,
  of,
  repeat,
  take,
  throwError,
} from 'rxjs';
import { SseChannel, SseEvents, SseService, type SseEvent } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { RawStream } from './raw-stream.js';

const RETURNS: Record<string, unknown> = {
  string: 'text',
  number: 0,
  false: false,
  object: { data: 'x' },
  array: ['x'],
  bare: Object.create(null) as object,
  map: new Map(),
};

interface Emitted {
  text: string;
}

const signals: AbortSignal[] = [];
/** What a handler's own subscription was told. */
const aside: string[] = [];
let running = 0;
let instances = 0;

const counted = <T>(source: Observable<T>): Observable<T> =>
  defer(() => {
    running++;
    return source.pipe(finalize(() => running--));
  });

@Controller()
class HandlersController {
  @Sse('returns/:what')
  @SseChannel('news')
  returns(@Param('what') what: string) {
    return RETURNS[what];
  }

  @Sse('nothing')
  @SseChannel()
  nothing() {}

  @Sse('null')
  @SseChannel('news')
  null() {
    return null;
  }

  @Sse('async')
  @SseChannel('news')
  async async(@SseEvents() events$: Observable<SseEvent>) {
    await Promise.resolve();
    return events$;
  }

  /** As the query builders of databases are: nothing happens until somebody waits. */
  @Sse('lazy')
  @SseChannel('news')
  lazy(@SseEvents() events$: Observable<SseEvent>) {
    const query = Promise.resolve(events$);
    // oxlint-disable-next-line unicorn/no-thenable
    return { then: query.then.bind(query) };
  }

  @Sse('generator')
  @SseChannel('news')
  async *generator() {
    yield { data: 'one' };
    await Promise.resolve();
    yield 'two';
  }

  @Sse('throws')
  @SseChannel('news')
  throws() {
    throw new HttpException('Gone.', 410);
  }

  @Sse('rejects')
  @SseChannel('news')
  rejects() {
    return Promise.reject(new HttpException('Gone.', 410));
  }

  @Sse('errors/:when')
  @SseChannel('news')
  errors(@Param('when') when: string): Observable<unknown> {
    const error = new HttpException('Failed.', 418);
    const failing = throwError(() => error);
    switch (when) {
      case 'at-once':
        return counted(failing);
      case 'in-a-microtask':
        return counted(defer(() => Promise.reject(error)));
      case 'after-an-event':
        return counted(
          concat(of({ data: 'first' }), this.sse.stream('go').pipe(take(1)), of('last'), failing),
        );
      default:
        return EMPTY;
    }
  }

  @Sse('own')
  @SseChannel()
  own() {
    return counted(interval(20).pipe(map((n) => ({ data: { n }, type: 'tick' }))));
  }

  @Sse('sync')
  @SseChannel()
  sync() {
    return of(
      { data: 'a\r\nb', id: '7', type: 'x', retry: 5 },
      { comment: 'only\na\r\ncomment' },
      { comment: 'beside', data: 'data', id: 9 },
      undefined,
      {},
      { retry: 6 },
      'text',
      { data: undefined, id: '8' },
      { data: 0 },
      null,
    );
  }

  /** Rows of a table in place of messages. The id of one is no position. */
  @Sse('rows')
  @SseChannel('news')
  rows() {
    return of(
      { id: 5, name: 'a' } as never,
      { id: 6, type: 'invoice', amount: 1 } as never,
      { data: undefined, id: 7, type: 'x', name: 'b' } as never,
      { channel: 'news', id: 8, type: 'y' } as never,
    );
  }

  @Sse('first-then-own')
  @SseChannel('news')
  firstThenOwn(@SseEvents() events$: Observable<SseEvent<Emitted>>) {
    return events$.pipe(take(1), concatWith(interval(10).pipe(map((n) => ({ data: `own ${n}` })))));
  }

  @Sse('first-then-never')
  @SseChannel('news')
  firstThenNever(@SseEvents() events$: Observable<SseEvent<Emitted>>) {
    return events$.pipe(take(1), concatWith(NEVER));
  }

  @Sse('two-runs')
  @SseChannel(() => ['one', 'two'])
  twoRuns(@SseEvents() events$: Observable<SseEvent>) {
    return events$;
  }

  @Sse('twice')
  @SseChannel('news')
  twice(@SseEvents() events$: Observable<SseEvent<string>>) {
    return merge(events$, events$.pipe(map(({ data }) => ({ data: `again: ${data}` }))));
  }

  @Sse('returning/:when')
  @SseChannel('news')
  returning(@Param('when') when: string, @SseEvents() events$: Observable<SseEvent>) {
    return events$.pipe(take(1), repeat(when === 'later' ? { delay: 1 } : {}));
  }

  @Sse('aside')
  @SseChannel('news')
  aside(@SseEvents() events$: Observable<SseEvent<string>>) {
    events$.subscribe({
      next: ({ data }) => aside.push(data),
      complete: () => aside.push('complete'),
    });
    return events$;
  }

  @Sse('ignored')
  @SseChannel('news')
  ignored(@SseEvents() _events$: Observable<SseEvent>) {
    return counted(NEVER);
  }

  @Sse('signal')
  @SseChannel('news')
  signal(@SseSignal() signal: AbortSignal) {
    signals.push(signal);
  }

  @Sse('posted', { method: RequestMethod.POST })
  @SseChannel('news')
  posted() {}

  @Sse('accepted', { method: RequestMethod.POST })
  @HttpCode(202)
  @SseChannel('news')
  accepted() {}

  @Sse('headers')
  @Header('X-Own', 'one')
  @Header('Cache-Control', 'max-age=60')
  @SseChannel('news')
  @Header('X-Other', 'two')
  headers() {}

  @Sse('passthrough')
  @SseChannel('news')
  passthrough(@Res({ passthrough: true }) response: PassthroughResponse) {
    if (response.header) {
      response.header('x-set', 'by the handler');
    }
  }

  @SseChannel('news')
  @Sse('above')
  above() {}

  @Post('plain')
  plain() {
    return { plain: true };
  }

  constructor(private readonly sse: SseService) {}
}

interface PassthroughResponse {
  header?: (name: string, value: string) => void;
}

abstract class BaseController {
  @Sse('events')
  @SseChannel('base')
  events() {}
}

@Controller('first')
class FirstController extends BaseController {}

@Controller('second')
class SecondController extends BaseController {}

@Injectable({ scope: Scope.REQUEST })
class RequestName {
  readonly name = `request ${++instances}`;
}

@Controller({ path: 'scoped', scope: Scope.REQUEST })
class ScopedController {
  constructor(private readonly request: RequestName) {}

  @Sse()
  @SseChannel('scoped')
  events(@SseEvents() events$: Observable<SseEvent<string>>) {
    return events$.pipe(map(({ data }) => ({ data: `${this.request.name}: ${data}` })));
  }
}

/** As tracing and transaction decorators do it: the method is wrapped, its metadata kept. */
function Wrapped(): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    const original = descriptor.value as (...args: unknown[]) => unknown;
    const wrapper = function (this: unknown, ...args: unknown[]) {
      return original.apply(this, args);
    };
    for (const key of Reflect.getMetadataKeys(original)) {
      Reflect.defineMetadata(key, Reflect.getMetadata(key, original), wrapper);
    }
    descriptor.value = wrapper;
  };
}

@Controller()
class WrappedController {
  @Wrapped()
  @Sse('wrapped')
  @SseChannel('news')
  wrapped() {}
}

describe.each(ADAPTERS)('Handlers on %s', (adapter) => {
  const logged: string[] = [];
  const note = (message: unknown): void => void logged.push(String(message));
  const logger: LoggerService = { log: () => undefined, warn: note, error: note };

  afterEach(async () => {
    await closeApps();
    logged.length = 0;
    expect(running).toBe(0);
  });

  const start = (options = {}) =>
    startApp({
      adapter,
      options,
      logger,
      controllers: [
        HandlersController,
        FirstController,
        SecondController,
        ScopedController,
        WrappedController,
      ],
      providers: [RequestName],
    });

  const nothingLeft = { connections: 0, readers: 0 };

  it.each(Object.keys(RETURNS))('cause a 500 when they return a %s', async (what) => {
    const { connect, sse } = await start();
    const client = await connect(`/returns/${what}`);
    expect(client.opened.status).toBe(500);
    await client.closed;
    const given = { object: 'an object', map: 'an object of the class Map', array: 'an array' }[
      what
    ];
    expect(logged.join()).toContain(
      `The handler HandlersController.returns returned ${given ?? ''}`,
    );
    expect(logged.join()).toContain('Return an Observable');
    expect(sse.stats()).toMatchObject(nothingLeft);
  });

  it('cause a 500 when they return nothing and have no channel', async () => {
    const { connect } = await start();
    expect((await connect('/nothing')).opened.status).toBe(500);
    expect(logged.join()).toContain(
      'The handler HandlersController.nothing returned nothing, and its @SseChannel() names no channel.',
    );
  });

  it.each(['/null', '/async', '/lazy', '/above', '/wrapped'])(
    "leave the channel's stream when they return none of their own: %s",
    async (path) => {
      const { connect, sse } = await start();
      const client = await connect(path);
      await until(() => client.lastEventId);
      const id = await sse.send('news', 'event');
      expect(await client.next()).toMatchObject({ data: 'event', id });
    },
  );

  it('may be async generators', async () => {
    const { connect } = await start();
    const client = await connect('/generator');
    expect((await client.take(2)).map(({ data }) => data)).toEqual(['one', 'two']);
    expect((await client.closed).by).toBe('server');
  });

  it.each(['/throws', '/rejects'])(
    'determine the status of the answer when they fail: %s',
    async (path) => {
      const { connect, sse } = await start();
      const client = await connect(path);
      await client.closed;
      expect(client.opened.status).toBe(410);
      expect(JSON.parse(client.body)).toMatchObject({ message: 'Gone.' });
      expect(sse.stats()).toMatchObject(nothingLeft);
    },
  );

  it.each(['at-once', 'in-a-microtask'])(
    'determine the status of the answer when their Observable fails %s',
    async (when) => {
      const { connect, sse } = await start();
      const client = await connect(`/errors/${when}`);
      expect(client.opened.status).toBe(418);
      await client.closed;
      expect(sse.stats()).toMatchObject(nothingLeft);
    },
  );

  it('send everything before their Observable fails, and then the stream ends', async () => {
    const { connect, sse } = await start();
    const client = await connect('/errors/after-an-event');
    expect(client.opened.status).toBe(200);
    expect((await client.next()).data).toBe('first');
    await sse.send('go', 'middle');
    expect((await client.take(2)).map(({ data }) => data)).toEqual(['middle', 'last']);
    expect((await client.closed).by).toBe('server');
    expect(logged.join()).toContain('Failed.');
    expect(client.events.some(({ type }) => type === 'error')).toBe(false);
    expect(sse.stats()).toMatchObject({ connections: 0 });
  });

  it('lose their subscriber when the client leaves', async () => {
    const { connect, sse } = await start();
    const client = await connect('/own');
    expect(await client.next()).toMatchObject({ type: 'tick', data: '{"n":0}' });
    expect(running).toBe(1);
    await client.close();
    await until(() => running === 0);
    expect(sse.stats()).toMatchObject(nothingLeft);
  });

  it('lose their subscriber when there is no room for the client', async () => {
    const { connect, sse } = await start({ limits: { connections: 1 } });
    const clients = await Promise.all([connect('/own'), connect('/own'), connect('/own')]);
    await until(() => running === 1 && clients.filter(({ isOpen }) => isOpen).length === 1);
    expect(clients.map(({ opened }) => opened.status)).toEqual([200, 200, 200]);
    expect(sse.stats()).toMatchObject({ connections: 1, refused: { capacity: 2 } });
    const away = clients.filter(({ isOpen }) => !isOpen);
    expect(away).toHaveLength(2);
    expect(away.every(({ retry }) => retry! >= 15_000)).toBe(true);
  });

  it('may emit anything that fits a frame', async () => {
    const { url } = await start();
    const stream = await RawStream.open(`${url}/sync`);
    await stream.closed;
    expect(stream.opening!.data).toBe('{"channels":[],"labels":{}}');
    expect(stream.afterOpening).toBe(
      'event: x\nretry: 5\ndata: a\ndata: b\nid: 7\n\n' +
        ': only\n: a\n: comment\n' +
        ': beside\ndata: data\nid: 9\n\n' +
        'retry: 6\n\n' +
        'data: text\n\n' +
        'id: 8\n\n' +
        'data: 0\n\n' +
        'data: null\n\n',
    );
  });

  it('keep an object that is no message from clients, its id included, and log it', async () => {
    const { url } = await start();
    const stream = await RawStream.open(`${url}/rows`);
    await stream.closed;
    expect(stream.afterOpening).toBe('event: x\nid: 7\n\nevent: y\nid: 8\n\n');
    expect(logged.join()).toMatch(
      /HandlersController\.rows failed: It emitted an object that has no `data`.* emit \{ data: object \}/,
    );
  });

  it('may return a stream of their own in place of the events', async () => {
    const { connect, sse } = await start();
    const own = await connect('/first-then-own');
    const never = await connect('/first-then-never');
    await until(() => own.lastEventId && never.lastEventId);
    const id = await sse.send('news', 'event');
    expect(await never.next()).toMatchObject({ data: 'event', id });
    expect((await own.take(3)).map(({ data }) => data)).toEqual(['event', 'own 0', 'own 1']);
    expect(sse.stats()).toMatchObject({ connections: 2, readers: 0 });
  });

  it('pass on the end of each of several runs, in place', async () => {
    const { connect, sse } = await start();
    const client = await connect('/two-runs');
    await until(() => client.lastEventId);
    await sse.complete('one');
    expect((await client.next()).data).toBe('[DONE]');
    const { lastEventId } = client;
    await sse.send('two', 'more');
    expect((await client.next()).data).toBe('more');
    expect(client.lastEventId).not.toBe(lastEventId);
    await sse.complete('two');
    expect((await client.next()).data).toBe('[DONE]');
    expect((await client.closed).by).toBe('server');
    expect((await client.reconnect()).opened.status).toBe(204);
  });

  it('may subscribe to the events more than once', async () => {
    const { connect, sse } = await start();
    const client = await connect('/twice');
    await until(() => sse.stats().readers === 1);
    await Promise.all(['one', 'two'].map((data) => sse.send('news', data)));
    const events = await client.take(4);
    expect(events.map(({ data }) => data)).toEqual(['one', 'again: one', 'two', 'again: two']);
    expect(events.map(({ id }) => id)).toEqual(events.map(({ id }) => id).sort());
    await client.close();
    await until(() => sse.stats().readers === 0);
  });

  it.each(['at-once', 'later'])(
    'miss no event when they leave the events and return %s',
    async (when) => {
      const { connect, sse } = await start();
      const client = await connect(`/returning/${when}`);
      await until(() => sse.stats().readers === 1);
      const sent = Array.from({ length: 60 }, (_, n) => `${n}`);
      for (const data of sent) {
        void sse.send('news', data);
      }
      expect((await client.take(60)).map(({ data }) => data)).toEqual(sent);
      await client.close();
      await until(() => sse.stats().readers === 0);
      expect(client.events).toHaveLength(60);
    },
  );

  it('learn that the client has left when they subscribe by themselves', async () => {
    const { connect, sse } = await start();
    aside.length = 0;
    const client = await connect('/aside');
    await until(() => sse.stats().readers === 1);
    await sse.send('news', 'event');
    await client.next();
    await client.close();
    await until(() => aside.length === 2);
    expect(aside).toEqual(['event', 'complete']);
    await until(() => sse.stats().readers === 0);
  });

  it('need not subscribe to the events at all', async () => {
    const { connect, sse } = await start();
    const client = await connect('/ignored');
    await until(() => client.lastEventId);
    await sse.send('news', 'event');
    expect(sse.stats()).toMatchObject({ connections: 1, readers: 0 });
    await client.close();
    await until(() => running === 0 && sse.stats().connections === 0);
  });

  it('learn from @SseSignal() that the client has left', async () => {
    const { connect } = await start();
    signals.length = 0;
    const client = await connect('/signal');
    await until(() => client.lastEventId);
    expect(signals[0]).toMatchObject({ aborted: false });
    await client.close();
    await until(() => signals[0]!.aborted);
  });

  it('of a POST answer with 200, unless @HttpCode() says otherwise', async () => {
    const { connect, sse } = await start();
    const posted = await connect('/posted', { method: 'POST' });
    expect(posted.opened.status).toBe(200);
    const accepted = await connect('/accepted', { method: 'POST' });
    expect(accepted.opened.status).toBe(202);
    await until(() => posted.lastEventId && accepted.lastEventId);
    await sse.send('news', 'event');
    expect((await posted.next()).data).toBe('event');
    expect((await accepted.next()).data).toBe('event');
  });

  it('keep the headers of @Header(), except those that a stream needs', async () => {
    const { connect } = await start();
    const { opened } = await connect('/headers');
    expect(opened.headers).toMatchObject({
      'x-own': 'one',
      'x-other': 'two',
      'content-type': 'text/event-stream',
    });
    expect(opened.headers['cache-control']).toContain('no-store');
  });

  it('may set headers on the response, with passthrough', async () => {
    const { connect, sse } = await start();
    const client = await connect('/passthrough');
    await until(() => client.lastEventId);
    expect(client.opened.headers['x-set']).toBe('by the handler');
    await sse.send('news', 'event');
    expect((await client.next()).data).toBe('event');
    await sse.complete('news');
    await client.closed;
    expect(client.events.map(({ data }) => data)).toEqual(['event', '[DONE]']);
    expect(logged).toEqual([]);
  });

  it('can be inherited by several controllers', async () => {
    const { connect, sse } = await start();
    const first = await connect('/first/events');
    const second = await connect('/second/events');
    await until(() => first.lastEventId && second.lastEventId);
    await sse.send('base', 'event');
    expect((await first.next()).data).toBe('event');
    expect((await second.next()).data).toBe('event');
    await sse.complete('base');
    await Promise.all([first.closed, second.closed]);
    expect(logged).toEqual([]);
  });

  it('of request-scoped controllers have an instance of their own for each client', async () => {
    const { connect, sse } = await start();
    const clients = [await connect('/scoped'), await connect('/scoped')];
    await until(() => clients.every(({ lastEventId }) => lastEventId));
    await sse.send('scoped', 'event');
    const [first, second] = await Promise.all(clients.map((client) => client.next()));
    expect(first!.data).toMatch(/^request \d+: event$/);
    expect(second!.data).toMatch(/^request \d+: event$/);
    expect(first!.data).not.toBe(second!.data);
  });

  it("without @SseChannel() remain Nest's own", async () => {
    const { url } = await start();
    const answer = await fetch(`${url}/plain`, { method: 'POST' });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toEqual({ plain: true });
  });
});
