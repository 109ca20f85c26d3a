import { Controller, RequestMethod, Sse, UseInterceptors } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { race, Subject, type Observable } from 'rxjs';
import type { DialectFeed } from '../../lib/delivery/dialect.js';
import { SseChannel, type ChannelSink, type SseModuleOptions } from '../../lib/index.js';
import { Http2Answer } from '../support/http2-answer.js';
import { ADAPTERS, closeApps, startApp, type AppOptions } from '../support/start-app.js';
import { until } from '../support/until.js';

const WHOLE = { hasEnded: true, code: constants.NGHTTP2_NO_ERROR };
const BROKEN = { hasEnded: false, code: constants.NGHTTP2_INTERNAL_ERROR };

let handled: Subject<unknown>;
let leave: Subject<void>;
let answer: ChannelSink;
const feed: DialectFeed = {
  dialect: { headers: {}, reset: ['{"type":"error"}', '[DONE]'] },
  close: () => undefined,
};
/** A source whose clients take every end for the end of the whole. */
const answers = {
  open(_channel: string, sink: ChannelSink): DialectFeed {
    (answer = sink).live();
    return feed;
  },
};

/** Stops waiting for the stream when `leave` emits. */
const leaving = {
  intercept: (_context: unknown, next: { handle(): Observable<unknown> }) =>
    race(next.handle(), leave),
};

@Controller()
class StreamsController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('disconnecting')
  @SseChannel('events', { overflow: 'disconnect' })
  disconnecting() {}

  @Sse('two')
  @SseChannel(() => ['events', 'others'], { overflow: 'disconnect' })
  two() {}

  @Sse('handled')
  @SseChannel()
  handled() {
    return handled;
  }

  @Sse('answer', { method: RequestMethod.POST })
  @SseChannel('answer', { source: answers })
  answer() {}

  @Sse('left')
  @UseInterceptors(leaving)
  @SseChannel('events')
  left() {}

  @Sse('left-answer')
  @UseInterceptors(leaving)
  @SseChannel('answer', { source: answers })
  leftAnswer() {}
}

const sessions: ClientHttp2Session[] = [];

async function start(options: SseModuleOptions = {}, prepare?: AppOptions['prepare']) {
  handled = new Subject();
  leave = new Subject();
  const app = await startApp({
    httpAdapter: new FastifyAdapter({ http2: true }),
    controllers: [StreamsController],
    options,
    ...(prepare && { prepare }),
  });
  const session = connect(app.url);
  session.on('error', () => undefined);
  sessions.push(session);
  const ask = async (path: string, { isRead = true, method = 'GET' } = {}) => {
    const open = app.sse.stats().connections;
    const headers = { ':path': path, ':method': method };
    const stream = new Http2Answer(session, headers, { isRead });
    await until(() => app.sse.stats().connections === open + 1);
    return stream;
  };
  /** Sends more than a client takes that does not read. */
  const overfill = async () => {
    for (let i = 0; i < 300; i++) {
      await app.sse.send('events', `${i}:${'x'.repeat(10_000)}`);
      await new Promise(setImmediate);
    }
  };
  return { ...app, ask, overfill };
}

async function endOf(stream: Http2Answer) {
  stream.read();
  await until(() => stream.code !== undefined);
  const { hasEnded, code } = stream;
  return { hasEnded, code };
}

describe('Over HTTP/2', () => {
  afterEach(async () => {
    sessions.splice(0).forEach((session) => session.destroy());
    await closeApps();
  });

  it.each(['/disconnecting', '/two'])(
    'a client of %s that reads too slowly sees that its stream breaks',
    async (path) => {
      const { ask, overfill, sse } = await start({ retain: { events: 50, bytes: 60_000 } });
      const slow = await ask(path, { isRead: false });
      await overfill();
      // It hears of it when it reads on.
      expect(await endOf(slow)).toEqual(BROKEN);
      expect(sse.stats()).toMatchObject({ connections: 0, stalled: 0 });
    },
  );

  it('a client that stalls sees that its stream breaks, also behind the end of its stream', async () => {
    const { ask, overfill, sse } = await start({ stallTimeout: 300 });
    const stalled = await ask('/events', { isRead: false });
    const ended = await ask('/events', { isRead: false });
    await overfill();
    await sse.complete('events');
    await until(() => sse.stats().connections === 0);
    expect(await endOf(stalled)).toEqual(BROKEN);
    expect(await endOf(ended)).toEqual(BROKEN);
    expect(sse.stats().stalled).toBe(2);
  });

  it('a client that is disconnected sees an end, and a break when it has not read everything', async () => {
    const { ask, overfill, sse } = await start();
    const reader = await ask('/events');
    const slow = await ask('/events', { isRead: false });
    await overfill();
    await until(() => reader.data.length === 300);
    await sse.disconnect({ channel: 'events' });
    expect(await endOf(reader)).toEqual(WHOLE);
    expect(await endOf(slow)).toEqual(BROKEN);
  });

  it('a client sees the end of its stream when the handler fails, or its permission ends', async () => {
    const { ask } = await start({ maxAge: 500 });
    const aged = await ask('/events');
    const failed = await ask('/handled');
    handled.next('one');
    handled.error(new Error('of the handler'));
    expect(await endOf(failed)).toEqual(WHOLE);
    expect(failed.data).toEqual(['one']);
    expect(await endOf(aged)).toEqual(WHOLE);
    expect(aged.frames.at(-1)!.retry).toBeGreaterThanOrEqual(0);
  });

  it('at a shutdown a client sees an end, and a break when it has not read everything', async () => {
    const { ask, overfill, close } = await start({ drainTimeout: 300 });
    const reader = await ask('/events');
    const slow = await ask('/events', { isRead: false });
    await overfill();
    await until(() => reader.data.length === 300);
    const closed = close();
    expect(await endOf(reader)).toEqual(WHOLE);
    expect(reader.frames.at(-1)!.retry).toBeGreaterThanOrEqual(0);
    await closed;
    const { hasEnded, code } = await endOf(slow);
    expect([hasEnded, code === 0]).toEqual([false, false]);
  });

  it('a request that a shutdown finds without an answer sees that there is none', async () => {
    let hasCome = false;
    const hang = ((app) => {
      app
        .getHttpAdapter()
        .getInstance()
        .addHook('onSend', () => new Promise(() => (hasCome = true)));
    }) as AppOptions['prepare'];
    const { sse, close, url } = await start({ drainTimeout: 100 }, hang);
    const session = connect(url);
    sessions.push(session);
    const asked = new Http2Answer(session, { ':path': '/events' });
    await until(() => hasCome);
    expect(sse.stats().opening).toBe(1);
    const closed = close();
    const { hasEnded, code } = await endOf(asked);
    expect([asked.status, hasEnded, code === 0]).toEqual([undefined, false, false]);
    await closed;
  });

  it('a head that HTTP/2 forbids is no answer', async () => {
    const refused = ((app) => {
      app
        .getHttpAdapter()
        .getInstance()
        .addHook(
          'onRequest',
          (_request: unknown, reply: { header: Function }, done: () => void) => {
            reply.header('keep-alive', 'timeout=5');
            done();
          },
        );
    }) as AppOptions['prepare'];
    const { url } = await start({}, refused);
    const session = connect(url);
    sessions.push(session);
    expect(await endOf(new Http2Answer(session, { ':path': '/events' }))).toEqual(BROKEN);
  });

  it('an interceptor that leaves a stream ends it, and breaks what would look whole', async () => {
    const { ask } = await start();
    const plain = await ask('/left');
    const half = await ask('/left-answer');
    answer.append({ data: 'half' });
    await until(() => half.data.length === 1);
    leave.next();
    expect(await endOf(plain)).toEqual(WHOLE);
    expect(await endOf(half)).toEqual(BROKEN);
  });
});

describe.each(ADAPTERS)('Over HTTP/1.0 on %s', (adapter) => {
  afterEach(closeApps);

  it('a stream that breaks ends by a reset of TCP, as the end of the connection is an end', async () => {
    const { url, sse } = await startApp({ adapter, controllers: [StreamsController] });
    const ask = async (method: string, path: string) => {
      const socket = connectSocket(Number(new URL(url).port), '127.0.0.1');
      const seen = { text: '', error: undefined as string | undefined, isClosed: false };
      socket.on('data', (bytes) => (seen.text += String(bytes)));
      socket.on('error', (error: NodeJS.ErrnoException) => (seen.error = error.code));
      socket.on('close', () => (seen.isClosed = true));
      socket.write(`${method} ${path} HTTP/1.0\r\nhost: localhost\r\n\r\n`);
      await until(() => seen.text.includes('sse:open'));
      return seen;
    };
    const whole = await ask('GET', '/events');
    const broken = await ask('POST', '/answer');
    answer.append({ data: 'half' });
    await until(() => broken.text.includes('data: half'));
    await sse.disconnect({ channel: 'events' });
    await sse.disconnect({ channel: 'answer' });
    await until(() => whole.isClosed && broken.isClosed);
    expect([whole.error, broken.error]).toEqual([undefined, 'ECONNRESET']);
  });
});
