import { Controller, ForbiddenException, Sse, type LoggerService } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { of } from 'rxjs';
import { SseChannel } from '../../lib/index.js';
import { untilNobodyIsLeft } from '../support/newcomer.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class InjectedController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('observed')
  @SseChannel()
  observed() {
    return of({ data: 'one' }, { data: 'two' });
  }

  @Sse('refused')
  @SseChannel(() => {
    throw new ForbiddenException('Not yours.');
  })
  refused() {}
}

interface Injected {
  readonly statusCode: number;
  readonly headers: Record<string, unknown>;
  readonly payload: string;
  json(): unknown;
  stream(): Readable;
}

interface Instance {
  addHook(name: 'onSend', hook: (request: unknown, reply: Reply) => Promise<void>): void;
  inject(request: {
    url: string;
    method?: string;
    payloadAsStream?: boolean;
    signal?: AbortSignal;
  }): Promise<Injected>;
}

// A package of inject() for cookies, which Jest cannot load.
const cookie = ['fastify', 'light-my-request', 'cookie'].reduce(
  (from, name) => createRequire(from).resolve(name),
  fileURLToPath(import.meta.resolve('@nestjs/platform-fastify')),
);
jest.doMock(cookie, () => ({}));

interface Reply {
  header(name: string, value: string): unknown;
}

/** Requests that reach the application without a socket. */
describe.each([{ http2: false }, { http2: true }])("Fastify's inject() on %o", ({ http2 }) => {
  const logged: string[] = [];
  const note = (message: unknown): void => void logged.push(String(message));
  const logger: LoggerService = { log: () => undefined, warn: note, error: note };

  afterEach(async () => {
    await closeApps();
    expect(logged.splice(0)).toEqual([]);
  });

  const start = async () => {
    const app = await startApp({
      httpAdapter: new FastifyAdapter(http2 ? ({ http2 } as never) : {}),
      controllers: [InjectedController],
      options: { limits: { connections: 2 } },
      logger,
      prepare: (nest) => {
        const instance = nest.getHttpAdapter().getInstance() as Instance;
        instance.addHook('onSend', async (_, reply) => void reply.header('x-hooked', 'yes'));
      },
    });
    return { ...app, fastify: app.app.getHttpAdapter().getInstance() as Instance };
  };

  it('resolves with the whole of a stream that ends', async () => {
    const app = await start();
    const observed = await app.fastify.inject({ url: '/observed' });
    expect(observed.statusCode).toBe(200);
    expect(observed.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'x-hooked': 'yes',
    });
    expect(observed.payload).toMatch(/^retry: \d+\n.*data: one\n\ndata: two\n\n$/s);
    const run = app.fastify.inject({ url: '/events' });
    await until(() => app.sse.stats().connections === 1);
    await app.sse.send('events', 'sent');
    await app.sse.complete('events');
    expect((await run).payload).toMatch(/event: sse:open\n.*data: sent\n.*data: \[DONE\]\n/s);
    await untilNobodyIsLeft(app);
  });

  it('resolves with an error status, and without a body for HEAD', async () => {
    const app = await start();
    const refused = await app.fastify.inject({ url: '/refused' });
    expect([refused.statusCode, refused.json()]).toEqual([
      403,
      { statusCode: 403, error: 'Forbidden', message: 'Not yours.' },
    ]);
    const head = await app.fastify.inject({ url: '/events', method: 'HEAD' });
    expect([head.statusCode, head.payload]).toEqual([200, '']);
    await untilNobodyIsLeft(app);
  });

  it('can be read in part, and does not keep the application open', async () => {
    const app = await start();
    const answer = await app.fastify.inject({ url: '/events', payloadAsStream: true });
    expect([answer.statusCode, answer.headers['x-hooked']]).toEqual([200, 'yes']);
    const body = answer.stream().setEncoding('utf8');
    let text = '';
    body.on('data', (chunk: string) => (text += chunk)).on('error', () => undefined);
    await app.sse.send('events', 'sent');
    await until(() => text.includes('data: sent\n'));
    // The response is not told of it.
    body.destroy();
    await app.sse.send('events', 'behind');
    await app.app.close();
    expect(app.sse.stats()).toMatchObject({ connections: 0, opening: 0, readers: 0 });
    expect(text).not.toContain('behind');
  });

  it.each([{ payloadAsStream: false }, { payloadAsStream: true }])(
    'ends its stream when the caller aborts it, on %o',
    async ({ payloadAsStream }) => {
      const app = await start();
      const leaving = new AbortController();
      const { signal } = leaving;
      const answer = app.fastify.inject({ url: '/events', payloadAsStream, signal });
      const failed = answer.then(
        (begun) => until(() => begun.stream().destroyed),
        () => undefined,
      );
      await until(() => app.sse.stats().connections === 1);
      leaving.abort();
      await untilNobodyIsLeft(app);
      await failed;
    },
  );

  it('is sent away when the application closes', async () => {
    const app = await start();
    const answer = app.fastify.inject({ url: '/events' });
    await until(() => app.sse.stats().connections === 1);
    await app.app.close();
    expect((await answer).payload).toMatch(/retry: \d+\n\n$/);
  });
});
