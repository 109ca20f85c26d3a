import {
  Controller,
  Get,
  RequestMethod,
  Sse,
  type CallHandler,
  type LoggerService,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import dns from 'node:dns';
import { connect, type ClientHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { catchError, concatMap, NEVER, type Observable } from 'rxjs';
import { SseChannel, type Broker, type ChannelFeed } from '../../lib/index.js';
import { RawHttp2Client } from '../support/raw-http2-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { takeAnyBody } from '../support/take-any-body.js';
import { until } from '../support/until.js';

const never = new Promise<string>(() => undefined);

@Controller()
class ShutdownController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('hanging-resolver')
  @SseChannel(() => never)
  hangingResolver() {}

  @Sse('hanging-handler')
  @SseChannel('events')
  hangingHandler() {
    return never;
  }

  @Sse('silent')
  @SseChannel('events')
  silent() {
    return NEVER;
  }

  @Sse('posted', { method: RequestMethod.POST })
  @SseChannel('events')
  posted() {}

  @Sse('failing')
  @SseChannel('events')
  failing() {
    throw new Error('Failed.');
  }

  @Get('plain')
  plain() {
    return 'plain';
  }
}

describe('An application on HTTP/2', () => {
  const sessions: ClientHttp2Session[] = [];
  const raws: RawHttp2Client[] = [];

  afterEach(async () => {
    sessions.splice(0).forEach((each) => each.destroy());
    raws.splice(0).forEach((each) => each.destroy());
    await closeApps();
  });

  const start = (options = {}) =>
    startApp({
      httpAdapter: new FastifyAdapter({ http2: true }),
      prepare: takeAnyBody,
      controllers: [ShutdownController],
      options,
    });

  it('closes with sessions without streams, of clients that never close their side', async () => {
    const app = await start({ drainTimeout: 600_000 });
    const client = connect(app.url);
    sessions.push(client);
    client.on('error', () => undefined);
    const plain = client.request({ ':path': '/plain' });
    await new Promise((resolve) => plain.resume().once('end', resolve));
    const silent = await RawHttp2Client.open(app.url);
    raws.push(silent);
    silent.socket.pause();
    await app.app.close();
  });

  it.each(['/events', '/silent', '/hanging-resolver', '/hanging-handler'])(
    'sends clients of %s back and closes',
    async (path) => {
      const app = await start({ drainTimeout: 600_000 });
      const client = connect(app.url);
      sessions.push(client);
      client.on('error', () => undefined);
      const streams = Array.from({ length: 20 }, () => client.request({ ':path': path }));
      const texts = streams.map(() => '');
      streams.forEach((stream, i) => {
        stream.setEncoding('utf8').on('data', (chunk: string) => (texts[i] += chunk));
        stream.on('error', () => undefined);
      });
      await until(() => app.sse.stats().connections + app.sse.stats().opening === 20);
      await app.app.close();
      expect(app.sse.stats()).toMatchObject({ connections: 0, opening: 0, readers: 0 });
      await until(() => texts.every((text) => /retry: \d+\n(.+\n)*\n$/.test(text)));
    },
  );

  it('closes with streams that their clients do not read, and with unfinished requests', async () => {
    const app = await start({ drainTimeout: 200 });
    const client = connect(app.url);
    sessions.push(client);
    client.on('error', () => undefined);
    client.request({ ':path': '/events' }).on('error', () => undefined);
    const unfinished = client
      .request({
        ':path': '/posted',
        ':method': 'POST',
        'content-type': 'application/octet-stream',
      })
      .on('error', () => undefined);
    unfinished.write('x');
    await until(() => app.sse.stats().connections === 2);
    for (let i = 0; i < 50; i++) {
      await app.sse.send('events', 'x'.repeat(20_000));
    }
    await new Promise((resolve) => setImmediate(resolve));
    await app.app.close();
    expect(app.sse.stats()).toMatchObject({ connections: 0, readers: 0 });
  });

  it('closes with sessions at every address of its name', async () => {
    // As `localhost` often has 127.0.0.1 and ::1; Fastify makes a server for each.
    const addresses = ['127.0.0.1', '127.0.0.2'];
    const { lookup } = dns;
    const sockets = new Set<Socket>();
    const note = (message: unknown) => sockets.add((message as { socket: Socket }).socket);
    subscribe('net.server.socket', note);
    dns.lookup = ((name: string, options: object, done: (...answer: unknown[]) => void) =>
      name === 'localhost' && 'all' in options
        ? done(
            null,
            addresses.map((address) => ({ address, family: 4 })),
          )
        : lookup(name, options, done)) as unknown as typeof lookup;
    try {
      const app = await startApp({
        httpAdapter: new FastifyAdapter({ http2: true }),
        controllers: [ShutdownController],
        options: { drainTimeout: 600_000 },
        host: 'localhost',
      });
      const { port } = app.app.getHttpServer().address() as AddressInfo;
      for (const address of addresses) {
        const url = `http://${address}:${port}`;
        const client = connect(url);
        sessions.push(client);
        client.on('error', () => undefined);
        const stream = client.request({ ':path': '/events' }).on('error', () => undefined);
        await new Promise((resolve) => stream.once('data', resolve));
        const silent = await RawHttp2Client.open(url);
        raws.push(silent);
        silent.askAndCancel('/silent', 20);
        await until(() => app.sse.stats().connections === raws.length);
        silent.socket.pause();
      }
      expect(sockets.size).toBe(4);
      await app.app.close();
      expect(app.sse.stats()).toMatchObject({ connections: 0, opening: 0, readers: 0 });
      await until(() => [...sockets].every((socket) => socket.destroyed));
    } finally {
      dns.lookup = lookup;
      unsubscribe('net.server.socket', note);
    }
  });

  it('ends a request whose body continues through the run', async () => {
    const app = await start();
    const client = connect(app.url);
    sessions.push(client);
    const stream = client.request({
      ':path': '/posted',
      ':method': 'POST',
      'content-type': 'application/octet-stream',
    });
    stream.write('x');
    stream.resume();
    await until(() => app.sse.stats().connections === 1);
    await app.sse.complete('events');
    await until(() => stream.destroyed);
    expect(app.sse.stats()).toMatchObject({ connections: 0, readers: 0 });
  });
});

describe.each(ADAPTERS)('An application on %s', (adapter) => {
  afterEach(closeApps);

  it.each<[string, string, (handler: CallHandler) => Promise<never> | Observable<unknown>]>([
    ['before it calls the endpoint', '/events', () => never as Promise<never>],
    ['in place of the endpoint', '/silent', () => NEVER],
    ['behind a handler', '/silent', (next) => next.handle().pipe(concatMap(() => NEVER))],
    ['in place of a failure', '/failing', (next) => next.handle().pipe(catchError(() => NEVER))],
  ])(
    'sends away clients that wait for an interceptor that hangs %s',
    async (_, path, intercept) => {
      let asked = 0;
      const {
        app,
        sse,
        connect: open,
      } = await startApp({
        adapter,
        controllers: [ShutdownController],
        options: { drainTimeout: 600_000 },
        prepare: (nest) =>
          nest.useGlobalInterceptors({
            intercept: (__: unknown, next: CallHandler) => {
              asked++;
              return intercept(next);
            },
          }),
      });
      const clients = [open(path), open(path), open('/hanging-handler')];
      await until(() => asked === 3 && sse.stats().opening + sse.stats().connections === 3);
      await app.close();
      for (const client of await Promise.all(clients)) {
        await client.closed;
        expect(client.opened.status).toBe(200);
        expect(client.retry).toBeLessThanOrEqual(600_000);
      }
    },
  );

  /** A broker or source that does no more than to be stopped. */
  abstract class Stoppable implements Broker {
    isStopped = false;

    publish(): Promise<string> {
      return Promise.resolve('1');
    }

    open(): ChannelFeed {
      return { close: () => this.closeFeed() };
    }

    closeFeed(): void {}

    stop(): Promise<void> {
      this.isStopped = true;
      return this.end();
    }

    abstract end(): Promise<void>;
  }

  class Hanging extends Stoppable {
    end(): Promise<void> {
      return new Promise(() => undefined);
    }
  }

  class Rejecting extends Stoppable {
    end(): Promise<void> {
      return Promise.reject(new Error('No.'));
    }
  }

  class Throwing extends Stoppable {
    override closeFeed(): void {
      throw new Error('Not closed.');
    }

    end(): Promise<void> {
      throw new Error('At once.');
    }
  }

  it.each([
    ['never settles', Hanging],
    ['rejects', Rejecting],
    ['throws', Throwing],
  ])('closes with a broker and a source whose stop() %s', async (_, Kind) => {
    const broker = new Kind();
    const source = new Kind();
    @Controller()
    class KindController {
      @Sse('events')
      @SseChannel('events', { source })
      events() {}
    }
    const logged: string[] = [];
    const app = await startApp({
      adapter,
      controllers: [KindController],
      options: { broker, drainTimeout: 300, readyTimeout: 10 },
      logger: recording(logged),
    });
    await app.connect('/events');
    await app.app.close();
    expect(broker.isStopped && source.isStopped).toBe(true);
    const lines = logged.filter((line) => line.includes(`stop() of ${Kind.name}`));
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/has not settled within \d+ ms|failed: (No|At once)\./);
  });
});

/** A logger that keeps warnings and errors. */
function recording(lines: string[]): LoggerService {
  const keep = (message: unknown): void => void lines.push(String(message));
  return { log: () => undefined, warn: keep, error: keep };
}
