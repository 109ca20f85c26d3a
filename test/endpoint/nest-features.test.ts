import {
  Catch,
  Controller,
  Get,
  HttpException,
  Injectable,
  Param,
  ParseIntPipe,
  Sse,
  UseFilters,
  UseGuards,
  UseInterceptors,
  Version,
  VersioningType,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';
import { EventSource } from 'eventsource';
import { catchError, finalize, map, of, tap, throwError, timeout, type Observable } from 'rxjs';
import { SseChannel, SseEvents, type SseEvent } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { RawStream } from './raw-stream.js';

const log: string[] = [];

@Injectable()
class TokenGuard implements CanActivate {
  async canActivate(context: ExecutionContext) {
    await Promise.resolve();
    const request = context.switchToHttp().getRequest<Request>();
    request.user = { id: 7 };
    return request.headers['authorization'] === 'Bearer token';
  }
}

interface Request {
  readonly headers: Record<string, string | undefined>;
  user?: { id: number };
}

@Catch()
class TeapotFilter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const status = error instanceof HttpException ? error.getStatus() : 500;
    const body = { filtered: true, status };
    this.host.httpAdapter.reply(host.switchToHttp().getResponse<object>(), body, 418);
  }
}

function watching(name: string): new () => NestInterceptor {
  return class implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler) {
      log.push(`${name} before`);
      return next.handle().pipe(
        tap({ next: () => log.push(`${name} next`), complete: () => log.push(`${name} complete`) }),
        finalize(() => log.push(`${name} finalize`)),
      );
    }
  };
}

const Above = watching('above');
const Below = watching('below');
const OnClass = watching('class');

class MappingInterceptor implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((value: unknown) => ({ wrapped: value })));
  }
}

class TimeoutInterceptor implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(
      timeout(100),
      catchError((error: unknown) => throwError(() => error)),
    );
  }
}

/** What a cache of responses does: answer from what was emitted before, if anything was. */
class CachingInterceptor implements NestInterceptor {
  private readonly cache = new Map<string, unknown>();

  intercept(context: ExecutionContext, next: CallHandler) {
    const { url } = context.switchToHttp().getRequest<{ url: string }>();
    const cached = this.cache.get(url);
    return cached === undefined || cached === null
      ? next.handle().pipe(tap((value: unknown) => this.cache.set(url, value)))
      : of(cached);
  }
}

@Controller()
class FeaturesController {
  @Sse('guarded')
  @UseGuards(TokenGuard)
  @SseChannel((request: Request) => `user:${request.user!.id}`)
  guarded() {}

  @Sse('rooms/:room')
  @SseChannel('room:{room}')
  room(
    @Param('room', ParseIntPipe) room: number,
    @SseEvents() events$: Observable<SseEvent<string>>,
  ) {
    return events$.pipe(map(({ data }) => ({ data: `${typeof room} ${room}: ${data}` })));
  }

  @Sse('filtered')
  @UseGuards(TokenGuard)
  @UseFilters(TeapotFilter)
  @SseChannel(() => {
    throw new HttpException('Denied.', 402);
  })
  filtered() {}

  @Sse('intercepted')
  @UseInterceptors(Above)
  @SseChannel('news')
  @UseInterceptors(Below)
  intercepted() {}

  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('timed')
  @UseInterceptors(TimeoutInterceptor)
  @SseChannel('news')
  timed() {}

  @Get('plain')
  plain() {
    return { plain: true };
  }
}

@Controller('class')
@UseInterceptors(OnClass)
class InterceptedController {
  @Sse()
  @SseChannel('news')
  events() {}
}

@Controller({ path: 'versions', version: '1' })
class VersionedController {
  @Sse('events')
  @SseChannel('one')
  one() {}

  @Version('2')
  @Sse('events')
  @SseChannel('two')
  two() {}
}

/** Compresses every stream, as a middleware does that wraps the response. */
function gzip(_: IncomingMessage, response: ServerResponse, next: () => void): void {
  const zip = createGzip();
  const write = response.write.bind(response);
  const end = response.end.bind(response);
  const writeHead = response.writeHead.bind(response);
  zip.on('data', (chunk: Buffer) => write(chunk));
  zip.on('end', () => end());
  // `compression` hands listeners for it to its stream.
  zip.on('drain', () => response.emit('drain'));
  Object.assign(response, {
    writeHead: (...args: [number]) => {
      response.setHeader('Content-Encoding', 'gzip');
      return writeHead(...args);
    },
    write: (chunk: string | Buffer) => {
      if (!response.headersSent) {
        response.writeHead(response.statusCode);
      }
      const isOpen = zip.write(chunk);
      zip.flush();
      return isOpen;
    },
    end: (chunk?: string | Buffer) => {
      zip.end(typeof chunk === 'function' ? undefined : chunk);
      return response;
    },
    flush: () => zip.flush(),
  });
  next();
}

describe.each(ADAPTERS)('With Nest on %s,', (adapter) => {
  afterEach(async () => {
    await closeApps();
    log.length = 0;
  });

  const start = (
    prepare?: (app: INestApplication) => void,
    controllers: Type[] = [FeaturesController, InterceptedController],
  ) =>
    startApp({
      adapter,
      controllers,
      providers: [TokenGuard],
      ...(prepare && { prepare }),
    });

  it('a guard answers 403 without permission, and a resolver sees the user that the guard has set', async () => {
    const { connect, sse } = await start();
    const denied = await connect('/guarded');
    expect(denied.opened.status).toBe(403);
    await denied.closed;
    expect(JSON.parse(denied.body)).toMatchObject({ message: 'Forbidden resource' });
    expect(sse.stats()).toMatchObject({ channels: 0, readers: 0 });
    expect((await connect('/guarded', { method: 'HEAD' })).opened.status).toBe(403);
    const allowed = await connect('/guarded', { headers: { authorization: 'Bearer token' } });
    await until(() => allowed.lastEventId);
    await sse.send('user:7', 'event');
    expect((await allowed.next()).data).toBe('event');
  });

  it('a pipe answers 400 for a bad parameter, and leaves nothing behind', async () => {
    const { connect, sse } = await start();
    const bad = await connect('/rooms/x');
    expect(bad.opened.status).toBe(400);
    await bad.closed;
    expect(JSON.parse(bad.body)).toMatchObject({ message: expect.stringContaining('numeric') });
    expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
    const good = await connect('/rooms/7');
    await until(() => good.lastEventId);
    await sse.send('room:7', 'event');
    expect((await good.next()).data).toBe('number 7: event');
  });

  it('an exception filter handles what is thrown before the head', async () => {
    const { connect } = await start();
    const denied = await connect('/filtered');
    await denied.closed;
    expect(denied.opened.status).toBe(418);
    expect(JSON.parse(denied.body)).toEqual({ filtered: true, status: 403 });
    const thrown = await connect('/filtered', { headers: { authorization: 'Bearer token' } });
    await thrown.closed;
    expect(JSON.parse(thrown.body)).toEqual({ filtered: true, status: 402 });
  });

  it('CORS headers stand on streams, for allowed origins only', async () => {
    const { connect } = await start((app) =>
      app.enableCors({ origin: ['https://a.example'], credentials: true }),
    );
    const allowed = await connect('/news', { headers: { origin: 'https://a.example' } });
    expect(allowed.opened.headers).toMatchObject({
      'access-control-allow-origin': 'https://a.example',
      'access-control-allow-credentials': 'true',
    });
    expect(allowed.opened.headers['vary']).toMatch(/origin/i);
    const other = await connect('/news', { headers: { origin: 'https://b.example' } });
    expect(other.opened.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('streams work under a global prefix and a version', async () => {
    const { connect, sse } = await start(
      (app) => {
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI });
      },
      [VersionedController],
    );
    const one = await connect('/api/v1/versions/events');
    const two = await connect('/api/v2/versions/events');
    await until(() => one.lastEventId && two.lastEventId);
    await sse.send('one', 'first');
    await sse.send('two', 'second');
    expect((await one.next()).data).toBe('first');
    expect((await two.next()).data).toBe('second');
    expect((await connect('/versions/events')).opened.status).toBe(404);
  });

  it.each([
    ['/intercepted', ['above', 'below']],
    ['/class', ['class']],
  ])('interceptors around %s see its begin and its end', async (path, names) => {
    const { connect, sse } = await start();
    const client = await connect(path);
    await until(() => client.lastEventId);
    await sse.send('news', 'event');
    expect((await client.next()).data).toBe('event');
    expect(log.sort()).toEqual(names.map((name) => `${name} before`));
    await client.close();
    await until(() => log.length === names.length * 4);
    for (const name of names) {
      expect(log.filter((line) => line.startsWith(name)).sort()).toEqual(
        ['before', 'complete', 'finalize', 'next'].map((what) => `${name} ${what}`),
      );
    }
  });

  it('interceptors see an end by the server as well', async () => {
    const { connect, sse } = await start();
    const client = await connect('/intercepted');
    await until(() => client.lastEventId);
    await sse.complete('news');
    await client.closed;
    await until(() => log.filter((line) => line.endsWith('finalize')).length === 2);
  });

  it('a global interceptor that maps does not change the bytes of a stream', async () => {
    const { sse, url } = await start((app) => app.useGlobalInterceptors(new MappingInterceptor()));
    const stream = await RawStream.open(`${url}/news`);
    await stream.textOnce((text) => text.endsWith('\n\n'));
    const id = await sse.send('news', 'event');
    await stream.event(0);
    expect(stream.opening!.id).toBeDefined();
    expect(stream.afterOpening).toBe(`data: event\nid: ${id}\n\n`);
    await sse.complete('news');
    await stream.closed;
    expect(stream.text).toMatch(/data: \[DONE\]\nid: \S+\n\n$/);
    const plain = await fetch(`${url}/plain`);
    expect(await plain.json()).toEqual({ wrapped: { plain: true } });
  });

  it('a global interceptor that caches does not cache streams', async () => {
    const { connect, sse, url } = await start((app) =>
      app.useGlobalInterceptors(new CachingInterceptor()),
    );
    for (const round of ['first', 'second', 'third']) {
      const client = await connect('/news');
      await until(() => client.lastEventId);
      await sse.send('news', round);
      expect((await client.next()).data).toBe(round);
      await client.close();
      await until(() => sse.stats().connections === 0);
    }
    for (let i = 0; i < 2; i++) {
      expect(await (await fetch(`${url}/plain`)).json()).toEqual({ plain: true });
    }
  });

  it('an interceptor can end a stream', async () => {
    const { connect, sse } = await start();
    const client = await connect('/timed');
    expect(client.opened.status).toBe(200);
    expect((await client.closed).by).toBe('server');
    await until(() => sse.stats().connections === 0 && sse.stats().readers === 0);
    expect(client.events).toEqual([]);
  });

  it('a middleware that compresses passes each event on', async () => {
    const { sse, url } = await start((app) => {
      if (adapter === 'fastify') {
        const fastify = app.getHttpAdapter().getInstance() as {
          addHook(
            name: string,
            hook: (
              request: { raw: IncomingMessage },
              reply: { raw: ServerResponse },
              done: () => void,
            ) => void,
          ): void;
        };
        fastify.addHook('onRequest', ({ raw: request }, { raw }, done) => gzip(request, raw, done));
      } else {
        app.use(gzip);
      }
    });
    const stream = await RawStream.open(`${url}/news`);
    expect(stream.response.headers.get('content-encoding')).toBe('gzip');
    await stream.textOnce((text) => text.endsWith('\n\n'));
    for (let i = 0; i < 1_000; i++) {
      await sse.send('news', `event ${i}`);
    }
    await stream.event(999);
    expect(stream.events.map(({ data }) => data)).toEqual(
      Array.from({ length: 1_000 }, (_, i) => `event ${i}`),
    );
    await sse.complete('news');
    await stream.closed;
    expect(stream.events.at(-1)!.data).toBe('[DONE]');
  });

  it('the EventSource from npm resumes by itself and stops at the end', async () => {
    const { sse, url } = await start();
    const source = new EventSource(`${url}/news`);
    try {
      const received: string[] = [];
      let errors = 0;
      source.addEventListener('message', ({ data }) => received.push(data as string));
      source.addEventListener('error', () => errors++);
      await until(() => source.readyState === EventSource.OPEN && sse.stats().readers === 1);
      await sse.send('news', 'event', { retry: 10 });
      await until(() => received.length === 1);
      await sse.complete('news');
      await until(() => source.readyState === EventSource.CLOSED);
      expect(received).toEqual(['event', '[DONE]']);
      expect(errors).toBeGreaterThan(0);
      expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
    } finally {
      source.close();
    }
  });
});
