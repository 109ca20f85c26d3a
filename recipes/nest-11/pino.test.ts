import 'reflect-metadata';
import { Controller, Module, Sse, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import { SseChannel, SseService } from 'nestjs-sse-channels';
import { SseTestClient } from 'nestjs-sse-channels/testing';
import { deepEqual, equal, ok } from 'node:assert/strict';
import { Writable } from 'node:stream';
import { afterEach, describe, it } from 'node:test';
import { map, timer } from 'rxjs';
import { until } from '../../test/support/until.js';
import { AppModule, createApp, pinoHttp } from './pino.js';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly context?: string;
  readonly req?: { readonly id: number; readonly url: string };
  readonly res?: { readonly statusCode: number };
  readonly responseTime?: number;
}

let text = '';
const lines = () =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
const ofRequests = () => lines().filter(({ responseTime }) => responseTime !== undefined);

pinoHttp.stream = new Writable({
  write: (chunk: Buffer, _encoding, done) => {
    text += chunk.toString();
    done();
  },
});

@Controller()
class FailingController {
  @Sse('failing')
  @SseChannel()
  failing() {
    return timer(0, 10).pipe(
      map((count) => {
        if (count > 0) throw new Error('No more.');
        return { data: 'one' };
      }),
    );
  }
}

@Module({ imports: [AppModule], controllers: [FailingController] })
class FailingModule {}

async function create(module: typeof FailingModule): Promise<INestApplication> {
  const app = await NestFactory.create(module, new FastifyAdapter(), { bufferLogs: true });
  app.useLogger(app.get(Logger));
  return app;
}

describe('pino', () => {
  let app: INestApplication;
  afterEach(() => app.close());

  for (const [adapter, make] of [
    ['express', createApp],
    ['fastify', () => create(AppModule)],
  ] as const) {
    it(`logs one line per stream, at its end, without its secrets, on ${adapter}`, async () => {
      app = await make();
      text = '';
      const sse = app.get(SseService);
      const headers = { cookie: 'session=secret', authorization: 'Bearer secret' };
      const left = await SseTestClient.connect(app, '/news?a=1&ticket=secret&b=2', { headers });
      const ended = await SseTestClient.connect(app, '/news');
      await sse.send('news', 'event');
      await Promise.all([left.next(), ended.next()]);
      deepEqual(ofRequests(), []);
      await left.close();
      await until(() => ofRequests().length === 1);
      await sse.complete('news');
      await ended.closed;
      await until(() => ofRequests().length === 2);
      deepEqual(
        ofRequests().map(({ level, msg, req, res }) => [level, msg, req?.url, res?.statusCode]),
        [
          [30, 'the client has left', '/news?a=1&ticket=[Redacted]&b=2', 200],
          [30, 'request completed', '/news', 200],
        ],
      );
      ok(!text.includes('secret'), text);
    });

    it(`names the request of the stream in what its handler logs, on ${adapter}`, async () => {
      app = await make();
      text = '';
      const sse = app.get(SseService);
      const clients = await Promise.all(
        ['/watched?first', '/watched?second'].map((path) => SseTestClient.connect(app, path)),
      );
      const id = await sse.send('news', 'event');
      await Promise.all(clients.map((client) => client.next()));
      const logged = lines().filter(({ msg }) => msg === `event ${id}`);
      deepEqual(logged.map(({ req, context }) => [req?.url, context]).sort(), [
        ['/watched?first', 'NewsController'],
        ['/watched?second', 'NewsController'],
      ]);
      await Promise.all(clients.map((client) => client.close()));
    });
  }

  it('has what the module logs', async () => {
    app = await create(FailingModule);
    text = '';
    const client = await SseTestClient.connect(app, '/failing');
    equal((await client.next()).data, 'one');
    await until(() => lines().some(({ context }) => context === 'SseChannels'));
    await client.close();
  });
});
