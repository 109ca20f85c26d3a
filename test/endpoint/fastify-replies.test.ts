import {
  Controller,
  Injectable,
  Sse,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Stream } from 'node:stream';
import { createGzip } from 'node:zlib';
import { of } from 'rxjs';
import { SseChannel } from '../../lib/index.js';
import { expectRoomFor, untilNobodyIsLeft } from '../support/newcomer.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

interface CookieReply {
  cookies?: string[];
  header(name: string, value: unknown): unknown;
}

/** Sets a cookie as plugins do: it is written by an `onSend` hook. */
@Injectable()
class CookieGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const reply = context.switchToHttp().getResponse<CookieReply>();
    reply.cookies = ['session=1', 'theme=dark'];
    return true;
  }
}

@Controller()
@UseGuards(CookieGuard)
class RepliesController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('both')
  @SseChannel(() => ['events', 'others'])
  both() {}

  @Sse('observed')
  @SseChannel()
  observed() {
    return of({ data: 'one' }, { data: 'two' });
  }
}

type Payload = unknown;
type Hook = (request: unknown, reply: CookieReply, payload: Payload) => Promise<Payload>;

interface Instance {
  addHook(
    name: 'onSend',
    hook: (request: never, reply: CookieReply, payload: never, done: () => void) => void,
  ): void;
  addHook(name: 'onSend', hook: Hook): void;
}

/** It can be written to and piped, and is no Readable of Node's. */
class OtherStream extends Stream {
  writable = true;
  write = () => true;
  end = () => this;
}

describe('On Fastify', () => {
  afterEach(closeApps);

  const start = (hook?: Hook, options = {}): Promise<TestApp> =>
    startApp({
      adapter: 'fastify',
      controllers: [RepliesController],
      options,
      prepare: (app) => {
        const instance = app.getHttpAdapter().getInstance() as Instance;
        instance.addHook('onSend', (_request, reply, _payload, done) => {
          reply.header('set-cookie', reply.cookies);
          done();
        });
        if (hook) {
          instance.addHook('onSend', hook);
        }
      },
    });

  const cookiesOf = async (app: TestApp, path: string, init: RequestInit = {}) => {
    const abort = new AbortController();
    const response = await fetch(app.url + path, { ...init, signal: abort.signal });
    const { status } = response;
    const cookies = response.headers.getSetCookie();
    const type = response.headers.get('content-type');
    abort.abort();
    return { status, cookies, type };
  };
  const cookies = ['session=1', 'theme=dark'];
  const type = 'text/event-stream';

  it.each([
    ['at once', undefined],
    [
      'later',
      async (_: unknown, __: unknown, payload: Payload) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return payload;
      },
    ],
  ] as [string, Hook | undefined][])(
    'headers that onSend hooks add %s arrive with every answer',
    async (_, hook) => {
      const app = await start(hook, { limits: { connections: 1 } });
      for (const path of ['/events', '/both', '/observed']) {
        expect(await cookiesOf(app, path)).toEqual({ status: 200, cookies, type });
        await untilNobodyIsLeft(app);
      }
      const done = await app.sse.complete('events');
      const returned = await cookiesOf(app, '/events', { headers: { 'last-event-id': done } });
      expect(returned).toMatchObject({ status: 204, cookies });
      const head = await cookiesOf(app, '/events', { method: 'HEAD' });
      expect(head).toMatchObject({ status: 200, cookies });
      await app.connect('/events');
      await until(() => app.sse.stats().connections === 1);
      expect(await cookiesOf(app, '/events')).toEqual({ status: 200, cookies, type });
      expect(app.sse.stats().refused.capacity).toBe(1);
    },
  );

  it('Fastify answers when an onSend hook fails, and nothing is left behind', async () => {
    let fails = true;
    const app = await start(async (_, __, payload) => {
      if (fails) {
        fails = false;
        throw new Error('No session store.');
      }
      return payload;
    });
    const failed = await app.connect('/events');
    expect(failed.opened.status).toBe(500);
    await failed.closed;
    await expectRoomFor(app, { path: '/events', channel: 'events' });
  });

  it('an onSend hook that replaces the payload does not replace the stream', async () => {
    const app = await start(async (_, reply, payload) => {
      reply.header('x-replaced', 'yes');
      const { PassThrough } = await import('node:stream');
      return (payload as NodeJS.ReadableStream).pipe(new PassThrough());
    });
    const client = await app.connect('/events');
    expect(client.opened.headers['x-replaced']).toBe('yes');
    await until(() => app.sse.stats().connections === 1);
    await app.sse.send('events', 'hello');
    expect((await client.next()).data).toBe('hello');
  });

  it.each<[string, () => NodeJS.WritableStream]>([
    ['Node’s', () => createGzip()],
    // As in packages that bring streams of their own.
    ['another class', () => new OtherStream() as never],
  ])('an onSend hook that compresses by a stream of %s leaves events readable', async (_, wrap) => {
    const app = await start(async (_request, reply, payload) => {
      reply.header('content-encoding', 'gzip');
      return (payload as NodeJS.ReadableStream).pipe(wrap());
    });
    const client = await app.connect('/events');
    expect(client.opened.headers['content-encoding']).toBeUndefined();
    await app.sse.send('events', 'hello');
    expect((await client.next()).data).toBe('hello');
    const done = await app.sse.complete('events');
    const returned = await app.connect('/events', { lastEventId: done });
    expect(returned.opened.status).toBe(204);
    expect(returned.opened.headers['content-encoding']).toBeUndefined();
  });

  it('an onSend hook that hangs ends with its client, and with the application', async () => {
    const app = await start(() => new Promise(() => undefined), { drainTimeout: 300 });
    const abort = new AbortController();
    const asked = fetch(`${app.url}/events`, { signal: abort.signal }).catch(() => undefined);
    await until(() => app.sse.stats().opening === 1);
    abort.abort();
    await asked;
    await untilNobodyIsLeft(app);
    void fetch(`${app.url}/events`).catch(() => undefined);
    await until(() => app.sse.stats().opening === 1);
    await app.app.close();
    expect(app.sse.stats()).toMatchObject({ connections: 0, opening: 0, readers: 0 });
  });

  it('an adapter over HTTP/2 runs onSend hooks as well', async () => {
    const app = await startApp({
      httpAdapter: new FastifyAdapter({ http2: true }),
      controllers: [RepliesController],
      prepare: (nest) => {
        const instance = nest.getHttpAdapter().getInstance() as Instance;
        instance.addHook('onSend', (_request, reply, _payload, done) => {
          reply.header('set-cookie', reply.cookies);
          done();
        });
      },
    });
    const { connect } = await import('node:http2');
    const session = connect(app.url);
    const headers = await new Promise<Record<string, unknown>>((resolve) => {
      session.request({ ':path': '/events' }).once('response', resolve);
    });
    expect(headers[':status']).toBe(200);
    expect(headers['set-cookie']).toEqual(cookies);
    session.destroy();
    await untilNobodyIsLeft(app);
  });
});
