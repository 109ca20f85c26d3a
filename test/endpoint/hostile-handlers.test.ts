import {
  Controller,
  HttpException,
  Param,
  Sse,
  type CallHandler,
  type ExecutionContext,
  type LoggerService,
  type NestInterceptor,
} from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  combineLatest,
  concat,
  defer,
  filter,
  finalize,
  firstValueFrom,
  map,
  merge,
  mergeAll,
  Observable,
  of,
  range,
  Subject,
  type Subscriber,
  switchMap,
  take,
  tap,
} from 'rxjs';
import { SseChannel, SseEvents, type SseEvent } from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const circle: Record<string, unknown> = {};
circle['self'] = circle;

const thrower = (): never => {
  throw new Error('Hostile.');
};

/** A lazy query that fails when it is awaited. */
// oxlint-disable-next-line unicorn/no-thenable
const thenable = { then: thrower };

/** An error that throws whatever one asks it. */
const unspeakable = (): object =>
  new Proxy({}, { get: thrower, getPrototypeOf: thrower, has: thrower, ownKeys: thrower });

/** What a handler may emit and no frame can carry. */
const EMITTED: Record<string, () => unknown> = {
  'a BigInt in data': () => ({ data: { id: 1n } }),
  'a BigInt': () => 1n,
  'a symbol': () => Symbol('s'),
  'a function': () => thrower,
  'a circle in data': () => ({ data: circle }),
  'data whose toJSON() throws': () => ({ data: { toJSON: thrower } }),
  'data that is a function': () => ({ data: thrower }),
  'data that is a symbol': () => ({ data: Symbol('s') }),
  'a getter that throws': () => Object.defineProperty({}, 'data', { get: thrower }),
  'a getter of the id that throws': () =>
    Object.defineProperty({ data: 'x' }, 'id', { get: thrower }),
  'a proxy that throws': () => new Proxy({}, { get: thrower }),
  'data nested too deeply': () => {
    let data: unknown[] = [];
    for (let depth = 0; depth < 100_000; depth++) {
      data = [data];
    }
    return { data };
  },
  'data beyond limits.eventSize': () => ({ data: 'x'.repeat(1_048_577) }),
  'an id with \\x01': () => ({ data: 'x', id: 'a\x01b' }),
  'an id with DEL': () => ({ data: 'x', id: 'a\x7f' }),
  'an id with a line end': () => ({ data: 'x', id: 'a\n\ndata: forged' }),
  'an id with a blank first': () => ({ data: 'x', id: ' a' }),
  'an id with a blank last': () => ({ data: 'x', id: 'a ' }),
  'an id of blanks': () => ({ data: 'x', id: '   ' }),
  'an id that is empty': () => ({ data: 'x', id: '' }),
  'an id that means something else': () => ({ data: 'x', id: 'earliest' }),
  'an id of half a character': () => ({ data: 'x', id: '\ud800' }),
  'an id that is an object': () => ({ data: 'x', id: { toString: thrower } }),
  'an id that is too long': () => ({ data: 'x', id: 'x'.repeat(10_000) }),
  'an id without data': () => ({ id: 'a\rb' }),
  'a type with a line end': () => ({ data: 'x', type: 'a\ndata: forged' }),
  'a type that is an object': () => ({ data: 'x', type: Object.create(null) as object }),
  "a type of the module's own": () => ({ data: 'x', type: 'sse:open' }),
  'a retry that is NaN': () => ({ data: 'x', retry: NaN }),
  'a retry below zero': () => ({ data: 'x', retry: -1 }),
  'a retry that is text': () => ({ data: 'x', retry: '5\ndata: forged' }),
  'a retry that is a symbol': () => ({ retry: Symbol('s') }),
  'a comment that is an object': () => ({ comment: { toString: thrower } }),
};

let running = 0;
/** Handlers and resolvers that wait for what a test has them do. */
const late: ((act: () => unknown) => void)[] = [];
const later = async (): Promise<unknown> => {
  const act = await new Promise<() => unknown>((resolve) => late.push(resolve));
  return act();
};
/** What a test sets off in its handlers. */
const go = new Subject<void>();
/** What iterables and side subscriptions of handlers have noticed. */
const noticed: string[] = [];

const counted = <T>(source: Observable<T>): Observable<T> =>
  defer(() => {
    running++;
    return source.pipe(finalize(() => running--));
  });

/** An Observable that emits `first` and the rest when a test says so. */
const once = (then: (subscriber: Subscriber<unknown>) => void, teardown?: () => void) =>
  counted(
    new Observable((subscriber) => {
      subscriber.next('first');
      const subscription = go.subscribe(() => {
        subscription.unsubscribe();
        then(subscriber);
      });
      return teardown;
    }),
  );

/** An iterator by hand: `next()` never gives anything after the first value. */
const iterable = (returned: () => unknown) => ({
  [Symbol.asyncIterator]: () => {
    let count = 0;
    return {
      next: () => (count++ === 0 ? { value: 'first', done: false } : new Promise(() => undefined)),
      return: returned,
    };
  },
});

type Events = Observable<SseEvent<string>>;

/** Handlers whose requests are answered with 500. */
const REFUSED: Record<string, (events$: Events) => unknown> = {
  'that throws': thrower,
  'that rejects': () => Promise.reject(new Error('Hostile.')),
  'that rejects with nothing': () => Promise.reject(undefined),
  'that throws later': async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    thrower();
  },
  'whose Observable throws': () => new Observable(thrower),
  'whose Observable throws after it has emitted': () =>
    new Observable((subscriber) => {
      subscriber.next('first');
      thrower();
    }),
  'whose Observable fails with nothing': () => new Observable((subscriber) => subscriber.error()),
  'whose Observable only looks like one': () => ({ lift: thrower, subscribe: thrower }),
  'whose thenable throws': () => thenable,
  'whose iterable throws': () => ({ [Symbol.asyncIterator]: thrower }),
  'whose iterable has no next()': () => ({ [Symbol.asyncIterator]: () => ({}) }),
  'whose next() throws': () => ({ [Symbol.asyncIterator]: () => ({ next: thrower }) }),
  'whose next() gives nothing': () => ({
    [Symbol.asyncIterator]: () => ({ next: () => undefined }),
  }),
  'whose generator throws': async function* () {
    thrower();
    yield 'never';
  },
  'that floods': () => counted(range(0, 1_600).pipe(map((n) => ({ data: `${n}`.padEnd(65_536) })))),
  'whose teardown throws as well': () =>
    new Observable((subscriber) => {
      subscriber.error(new Error('Hostile.'));
      return thrower;
    }),
};

/** Handlers whose streams end, after `first`, when the test says so; and what is logged. */
const ENDING: Record<
  string,
  { handler: (events$: Events) => unknown; logged: string | undefined }
> = {
  'whose teardown throws at the end': {
    handler: () => once((subscriber) => subscriber.complete(), thrower),
    logged: 'teardown',
  },
  'whose teardown throws in a timer': {
    handler: () => once((subscriber) => setTimeout(() => subscriber.complete(), 2), thrower),
    logged: 'teardown',
  },
  'whose teardown throws under operators': {
    handler: () =>
      once((subscriber) => subscriber.complete(), thrower).pipe(
        map((each) => each),
        tap({ finalize: thrower }),
        finalize(thrower),
      ),
    logged: 'teardown',
  },
  'whose teardown throws before operators that merge': {
    handler: () =>
      of(once((subscriber) => subscriber.next('last')).pipe(take(2), finalize(thrower))).pipe(
        mergeAll(),
        filter((value) => value === 'first'),
      ),
    logged: 'teardown',
  },
  'that goes on after its end': {
    handler: () =>
      once((subscriber) => {
        subscriber.complete();
        subscriber.next({ data: 1n });
        subscriber.error(new Error('After the end.'));
        subscriber.complete();
      }),
    logged: undefined,
  },
  'that fails with nothing': {
    handler: () => once((subscriber) => subscriber.error(undefined)),
    logged: 'undefined',
  },
  'that fails with what cannot be shown': {
    handler: () => once((subscriber) => subscriber.error(Object.create(null))),
    logged: 'cannot be shown',
  },
  'that fails with what tells nothing': {
    handler: () => once((subscriber) => subscriber.error(unspeakable())),
    logged: 'cannot be shown',
  },
  'that emits itself within itself': {
    handler: () =>
      once((subscriber) => {
        const data = { toJSON: (): unknown => (subscriber.next({ data }), 'again') };
        subscriber.next({ data });
      }),
    logged: 'emits another value while it is turned into JSON',
  },
  'whose value completes it': {
    handler: () =>
      once((subscriber) =>
        subscriber.next({
          get data() {
            subscriber.complete();
            return 1n;
          },
        }),
      ),
    logged: undefined,
  },
  'whose value fails it': {
    handler: () =>
      once((subscriber) =>
        subscriber.next({ data: { toJSON: () => subscriber.error(new Error('Within.')) } }),
      ),
    logged: 'Within.',
  },
  'that cannot be sent, and whose teardown throws as well': {
    handler: () => once((subscriber) => subscriber.next(1n), thrower),
    logged: 'teardown',
  },
  'whose iterable gives what cannot be sent': {
    handler: async function* () {
      yield 'first';
      await firstValueFrom(go);
      yield 1n;
    },
    logged: 'BigInt',
  },
};

/** Handlers whose clients leave after `first`; and what is logged. */
const LEFT: Record<string, { handler: (events$: Events) => unknown; logged: string | undefined }> =
  {
    'whose teardown throws': { handler: () => once(() => undefined, thrower), logged: 'teardown' },
    'whose teardown throws many times': {
      handler: () =>
        merge(
          once(() => undefined, thrower),
          once(() => undefined, thrower),
        ).pipe(take(1_000), tap({ unsubscribe: thrower, finalize: thrower }), finalize(thrower)),
      logged: 'teardown',
    },
    'that emits afterwards': {
      handler: () => once((subscriber) => subscriber.next({ data: 1n })),
      logged: undefined,
    },
    'that fails afterwards': {
      handler: () => once((subscriber) => subscriber.error(new Error('Nobody is there.'))),
      logged: undefined,
    },
    'whose return() throws': { handler: () => iterable(thrower), logged: 'return()' },
    'whose return() rejects': {
      handler: () => iterable(() => Promise.reject(new Error('Hostile.'))),
      logged: 'return()',
    },
    'whose return() is a thenable that throws': {
      handler: () => iterable(() => thenable),
      logged: 'return()',
    },
    'whose return() never ends': {
      handler: () => iterable(() => new Promise(() => undefined)),
      logged: undefined,
    },
  };

@Controller()
class HostileController {
  @Sse('refused/:what')
  @SseChannel('news')
  refused(@Param('what') what: string, @SseEvents() events$: Events) {
    return REFUSED[what]!(events$);
  }

  @Sse('ending/:what')
  @SseChannel('news')
  ending(@Param('what') what: string, @SseEvents() events$: Events) {
    return ENDING[what]!.handler(events$);
  }

  @Sse('left/:what')
  @SseChannel('news')
  left(@Param('what') what: string, @SseEvents() events$: Events) {
    return LEFT[what]!.handler(events$);
  }

  @Sse('at-once/:what')
  @SseChannel('news')
  atOnce(@Param('what') what: string) {
    return counted(of(EMITTED[what]!()));
  }

  @Sse('later/:what')
  @SseChannel('news')
  later(@Param('what') what: string) {
    return once((subscriber) => subscriber.next(EMITTED[what]!()));
  }

  @Sse('for-an-event/:what')
  @SseChannel('news')
  forAnEvent(@Param('what') what: string, @SseEvents() events$: Events) {
    return counted(events$.pipe(map(({ data }) => (data === 'go' ? EMITTED[what]!() : { data }))));
  }

  @Sse('throwing-subscribers')
  @SseChannel('news')
  throwingSubscribers(@SseEvents() events$: Events) {
    events$.subscribe(thrower);
    events$.subscribe({ next: thrower, complete: thrower });
    events$.pipe(map((event) => event)).subscribe(thrower);
    events$.pipe(map(thrower)).subscribe();
    events$.subscribe().add(thrower);
    const mapped$ = events$.pipe(map((event) => event));
    merge(events$, mapped$).subscribe(thrower);
    merge(events$, mapped$).subscribe({ next: thrower, complete: thrower });
    combineLatest([events$, mapped$]).pipe(map(thrower)).subscribe();
    of(1)
      .pipe(switchMap(() => events$))
      .subscribe(thrower);
    concat(events$, mapped$).subscribe(thrower);
    const subscription = events$
      .pipe(finalize(thrower))
      .subscribe(() => subscription.unsubscribe());
    return events$;
  }

  @Sse('waiting')
  @SseChannel('news')
  waiting() {
    return iterable(() => void noticed.push('returned'));
  }

  @Sse('endless')
  @SseChannel('news')
  async *endless() {
    for (let n = 0; ; n++) {
      noticed.push(`${n}`);
      yield { data: `${n}`.padEnd(1_000) };
    }
  }

  @Sse('silent-and-endless')
  @SseChannel('news')
  async *silentAndEndless(): AsyncGenerator<unknown> {
    for (;;) {
      yield undefined;
    }
  }

  @Sse('flood-later')
  @SseChannel('news')
  floodLater() {
    return once((subscriber) => {
      for (let n = 0; n < 1_600; n++) {
        subscriber.next({ data: `${n}`.padEnd(65_536) });
      }
    });
  }

  @Sse('late/handler')
  @SseChannel('news')
  lateHandler() {
    return later();
  }

  @Sse('late/resolver')
  @SseChannel(later as () => Promise<string>)
  lateResolver() {}

  @Sse('no-message')
  @SseChannel('news')
  noMessage() {
    return concat(of({ progress: 5 }, ['x'], new Date(), 'first'), go.pipe(map(() => new Map())));
  }

  @Sse('good')
  @SseChannel('news')
  good(@SseEvents() events$: Observable<SseEvent>) {
    return events$;
  }
}

/** Shows what the interceptors of an application see, and changes nothing. */
class Tapping implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(
      tap(),
      map((value: unknown) => value),
    );
  }
}

const WAYS = ADAPTERS.flatMap((adapter) =>
  [false, true].map((isSurrounded) => ({ adapter, isSurrounded })),
);

/** Few enough for one application, whose log takes 10 lines of a kind in a minute. */
function inTens<T>(all: readonly T[]): { some: T[] }[] {
  return Array.from({ length: Math.ceil(all.length / 10) }, (_, index) => ({
    some: all.slice(index * 10, index * 10 + 10),
  }));
}

describe.each(WAYS)('On $adapter, in interceptors: $isSurrounded, a handler', (way) => {
  const logged: string[] = [];
  const note = (message: unknown): void => void logged.push(String(message));
  const logger: LoggerService = { log: () => undefined, warn: note, error: note };

  afterEach(async () => {
    await closeApps();
    logged.length = 0;
    noticed.length = 0;
    expect(running).toBe(0);
  });

  const start = async (options = {}) => {
    const app = await startApp({
      adapter: way.adapter,
      options,
      logger,
      controllers: [HostileController],
      prepare: (nest) => {
        if (way.isSurrounded) {
          nest.useGlobalInterceptors(new Tapping());
        }
      },
    });
    const other = await app.connect('/good');
    await until(() => app.sse.stats().readers === 1);
    let sent = 0;
    return {
      ...app,
      /** Nothing is left of what was hostile, and others are served. */
      isUnharmed: async () => {
        await until(() => app.sse.stats().connections === 1 && running === 0);
        const data = `all is well ${++sent}`;
        await app.sse.send('news', data);
        await until(() => other.events.at(-1)?.data === data);
        expect(app.sse.stats()).toMatchObject({ connections: 1, readers: 1, channels: 1 });
      },
    };
  };

  const pathOf = (folder: string, what: string): string => `/${folder}/${encodeURIComponent(what)}`;

  it('causes a 500 when it fails before the head', async () => {
    const { connect, isUnharmed } = await start();
    for (const path of [
      ...Object.keys(EMITTED).map((what) => pathOf('at-once', what)),
      ...Object.keys(REFUSED).map((what) => pathOf('refused', what)),
    ]) {
      logged.length = 0;
      const client = await connect(path);
      await client.closed;
      expect([path, client.opened.status]).toEqual([path, 500]);
      const lines = path.includes('teardown') ? [/teardown/, /Hostile/] : [/./];
      expect([path, logged]).toEqual([path, lines.map((line) => expect.stringMatching(line))]);
    }
    await isUnharmed();
  });

  it.each(inTens(Object.keys(EMITTED)))(
    'ends its own stream and no other when it emits what it must not, for %#',
    async ({ some }) => {
      const { connect, isUnharmed } = await start();
      for (const what of some) {
        logged.length = 0;
        const client = await connect(pathOf('later', what));
        expect((await client.next()).data).toBe('first');
        go.next();
        expect([what, (await client.closed).by]).toEqual([what, 'server']);
        expect([what, client.events.map(({ data }) => data)]).toEqual([what, ['first']]);
        expect([what, logged]).toEqual([
          what,
          [expect.stringContaining('The stream of HostileController.later failed')],
        ]);
      }
      await isUnharmed();
    },
  );

  it.each(inTens(Object.keys(EMITTED)))(
    'ends its stream when it emits for an event what it must not, for %#',
    async ({ some }) => {
      const { connect, sse, isUnharmed } = await start();
      for (const what of some) {
        logged.length = 0;
        const client = await connect(pathOf('for-an-event', what));
        await until(() => sse.stats().readers === 2);
        // All in one turn: what comes before is still delivered.
        void sse.send('news', 'before');
        void sse.send('news', 'go');
        void sse.send('news', 'after');
        expect([what, (await client.closed).by]).toEqual([what, 'server']);
        expect([what, client.events.map(({ data }) => data)]).toEqual([what, ['before']]);
        expect([what, logged.length]).toEqual([what, 1]);
        await until(() => sse.stats().readers === 1);
      }
      await isUnharmed();
    },
  );

  it.each(inTens(Object.entries(ENDING)))(
    'ends its stream in the expected way, for %#',
    async ({ some }) => {
      const { connect, isUnharmed } = await start();
      for (const [what, expected] of some) {
        logged.length = 0;
        const client = await connect(pathOf('ending', what));
        expect((await client.next()).data).toBe('first');
        go.next();
        expect([what, (await client.closed).by]).toEqual([what, 'server']);
        await until(() => running === 0);
        expect([what, client.events.map(({ data }) => data)]).toEqual([what, ['first']]);
        expect([what, logged.slice(0, 1)]).toEqual([
          what,
          expected.logged === undefined ? [] : [expect.stringContaining(expected.logged)],
        ]);
        expect(logged.length).toBeLessThanOrEqual(2);
      }
      await isUnharmed();
    },
  );

  it.each(inTens(Object.entries(LEFT)))(
    'stops when its client leaves, for %#',
    async ({ some }) => {
      const { connect, sse, isUnharmed } = await start();
      for (const [what, expected] of some) {
        logged.length = 0;
        const client = await connect(pathOf('left', what));
        expect((await client.next()).data).toBe('first');
        await client.close();
        await until(() => sse.stats().connections === 1 && running === 0);
        go.next();
        await new Promise((resolve) => setTimeout(resolve, 5));
        expect([what, logged]).toEqual([
          what,
          expected.logged === undefined ? [] : [expect.stringContaining(expected.logged)],
        ]);
      }
      await isUnharmed();
    },
  );

  it.each<[string, () => unknown, boolean]>([
    ['an error', thrower, true],
    ['nothing', () => Promise.reject(undefined), true],
    ['what tells nothing', () => Promise.reject(unspeakable()), true],
    ['an answer', () => Promise.reject(new HttpException('Not found.', 404)), false],
    ['the abort', () => Promise.reject(new DOMException('Left.', 'AbortError')), false],
  ])('that rejects with %s after its client has left does no harm', async (_, reject, isLogged) => {
    const { url, sse, isUnharmed } = await start();
    for (const path of ['late/handler', 'late/resolver']) {
      logged.length = 0;
      const client = await RawClient.open(url);
      client.send(`/${path}`);
      await until(() => sse.stats().opening === 1 && late.length === 1);
      client.destroy();
      await until(() => sse.stats().opening === 0);
      late.shift()!(reject);
      await new Promise((resolve) => setTimeout(resolve, 5));
      const where = path.endsWith('resolver') ? 'The resolver of HostileController' : 'Hostile';
      expect([path, logged]).toEqual([
        path,
        isLogged
          ? [
              expect.stringMatching(
                `^${where}.*, whose client had left, failed: (Host|undef|a object that cannot)`,
              ),
            ]
          : [],
      ]);
    }
    await isUnharmed();
  });

  it('may subscribe by itself with functions that throw', async () => {
    const { connect, sse, isUnharmed } = await start();
    const client = await connect('/throwing-subscribers');
    await until(() => sse.stats().readers === 2);
    await sse.send('news', 'one');
    await sse.send('news', 'two');
    expect((await client.take(2)).map(({ data }) => data)).toEqual(['one', 'two']);
    expect(logged.length).toBeGreaterThanOrEqual(10);
    await client.close();
    await isUnharmed();
  });

  it('shares that right with everybody who reads channels elsewhere', async () => {
    const { app, sse, close } = await start();
    const stream = sse.stream('news');
    stream.subscribe(thrower);
    stream.pipe(map((event) => event)).subscribe({ next: thrower, complete: thrower });
    stream.pipe(map(thrower)).subscribe();
    stream.subscribe().add(thrower);
    merge(stream, stream).subscribe(thrower);
    const polled = sse.poll(() => 'polled', { interval: 10 });
    polled.subscribe(thrower);
    merge(polled, stream).subscribe(thrower);
    const received: unknown[] = [];
    stream.subscribe({
      next: ({ data }) => received.push(data),
      complete: () => received.push('end'),
    });
    await until(() => sse.stats().readers === 11);
    await sse.send('news', 'event');
    await until(() => received.length === 1 && logged.length >= 4);
    await close();
    expect(received).toEqual(['event', 'end']);
    expect(app.getHttpServer().listening).toBe(false);
  });

  it('has its iterable closed when the client leaves, not at the next value', async () => {
    const { connect, isUnharmed } = await start();
    const client = await connect('/waiting');
    expect((await client.next()).data).toBe('first');
    expect(noticed).toEqual([]);
    await client.close();
    await until(() => noticed.length > 0);
    await isUnharmed();
    expect(noticed).toEqual(['returned']);
    expect(logged).toEqual([]);
  });

  it('runs as fast as its client reads when it is an endless generator', async () => {
    const { connect, isUnharmed } = await start();
    const client = await connect('/endless');
    const events = await client.take(1_000);
    expect(events.map(({ data }) => data.trim())).toEqual(
      Array.from({ length: 1_000 }, (_, n) => `${n}`),
    );
    await client.close();
    await isUnharmed();
    const { length } = noticed;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(noticed).toHaveLength(length);
    expect(logged).toEqual([]);
  });

  it('leaves time to others when it is an endless generator of nothing', async () => {
    const { connect, isUnharmed, sse } = await start();
    const client = await connect('/silent-and-endless');
    await until(() => sse.stats().connections === 2);
    await client.close();
    await isUnharmed();
  });

  it('loses a client that it floods and that does not read, and causes one log line', async () => {
    const { url, sse, isUnharmed } = await start();
    const abort = new AbortController();
    const response = await fetch(`${url}/flood-later`, { signal: abort.signal });
    expect(response.status).toBe(200);
    await until(() => sse.stats().connections === 2);
    go.next();
    await isUnharmed();
    expect(logged).toEqual([expect.stringContaining('A client does not read')]);
    abort.abort();
  });

  it('gets a warning for an object that is no message', async () => {
    const { connect, isUnharmed } = await start();
    const client = await connect('/no-message');
    expect((await client.next()).data).toBe('first');
    expect(logged).toEqual([expect.stringMatching(/has no `data`.* emit \{ data: object \}/)]);
    go.next();
    await client.close();
    await isUnharmed();
    expect(client.events).toHaveLength(1);
    expect(logged).toHaveLength(1);
  });
});
