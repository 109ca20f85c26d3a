import {
  Controller,
  Injectable,
  RequestMethod,
  Sse,
  UseGuards,
  type CanActivate,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { NEVER } from 'rxjs';
import { SseChannel } from '../../lib/index.js';
import { untilNobodyIsLeft } from '../support/newcomer.js';
import { takeAnyBody } from '../support/take-any-body.js';
import { RawHttp2Client } from '../support/raw-http2-client.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const ROUNDS = sized({ quick: 2, soak: 8 });

const held: (() => void)[] = [];
const hold = () => new Promise<void>((resolve) => held.push(resolve));

let asked = 0;

@Injectable()
class CountingGuard implements CanActivate {
  canActivate(): boolean {
    asked++;
    return true;
  }
}

@Controller()
@UseGuards(CountingGuard)
class CancelController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('observed')
  @SseChannel()
  observed() {
    return NEVER;
  }

  @Sse('slow')
  @SseChannel(async () => {
    await hold();
    return 'events';
  })
  slow() {}

  @Sse('slow-handler')
  @SseChannel('events')
  async slowHandler() {
    await hold();
    return NEVER;
  }

  @Sse('posted', { method: RequestMethod.POST })
  @SseChannel('events')
  posted() {}
}

const sessions: ClientHttp2Session[] = [];
const raws: RawHttp2Client[] = [];

function session(app: TestApp): ClientHttp2Session {
  const made = connect(app.url);
  made.on('error', () => undefined);
  sessions.push(made);
  return made;
}

function ask(over: ClientHttp2Session, path: string, headers = {}): ClientHttp2Stream {
  const stream = over.request({ ':path': path, ...headers });
  stream.on('error', () => undefined);
  return stream;
}

describe('Over HTTP/2', () => {
  afterEach(async () => {
    held.splice(0).forEach((release) => release());
    sessions.splice(0).forEach((each) => each.destroy());
    raws.splice(0).forEach((each) => each.destroy());
    await closeApps();
  });

  const start = (options = {}) =>
    startApp({
      httpAdapter: new FastifyAdapter({ http2: true }),
      prepare: takeAnyBody,
      controllers: [CancelController],
      options: { heartbeat: 0, ...options },
    });

  /** Expects that nothing is left of any client, and that the next one is served. */
  async function expectRoom(app: TestApp): Promise<void> {
    await untilNobodyIsLeft(app);
    let text = '';
    const client = ask(session(app), '/events');
    client.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await until(() => app.sse.stats().connections === 1);
    await app.sse.send('events', 'hello');
    await until(() => text.includes('data: hello'));
    client.close();
    await untilNobodyIsLeft(app);
  }

  it.each(['/events', '/observed', '/slow', '/slow-handler'])(
    'streams of %s that clients cancel at once leave nothing behind',
    async (path) => {
      asked = 0;
      const app = await start({ limits: { connections: 500 } });
      for (let round = 0; round < ROUNDS; round++) {
        const client = await RawHttp2Client.open(app.url);
        raws.push(client);
        client.askAndCancel(path, 250);
      }
      await until(() => asked === ROUNDS * 250);
      await untilNobodyIsLeft(app);
      held.splice(0).forEach((release) => release());
      await expectRoom(app);
      expect(app.sse.stats().refused.capacity).toBe(0);
    },
  );

  it('streams that clients cancel at any moment of the opening leave nothing behind', async () => {
    const app = await start();
    const over = session(app);
    await once(over, 'connect');
    for (let wait = 0; wait < 10; wait++) {
      const streams = Array.from({ length: 20 }, (_each, i) =>
        ask(over, i % 2 ? '/events' : '/slow-handler'),
      );
      await new Promise((resolve) => setTimeout(resolve, wait));
      streams.forEach((stream) => stream.close(constants.NGHTTP2_CANCEL));
      await until(() => streams.every(({ destroyed }) => destroyed));
    }
    await expectRoom(app);
  });

  it.each(['/slow', '/slow-handler'])(
    'a session that its client destroys during %s leaves nothing behind, whenever that ends',
    async (path) => {
      const app = await start({ stallTimeout: 100 });
      const over = session(app);
      for (let i = 0; i < 90; i++) {
        ask(over, path);
      }
      await until(() => held.length === 90);
      expect(app.sse.stats()).toMatchObject({ opening: 90, connections: 0 });
      over.destroy();
      await untilNobodyIsLeft(app);
      held.splice(0).forEach((release) => release());
      await expectRoom(app);
      expect(app.sse.stats().stalled).toBe(0);
    },
  );

  it("a stream ends with its client although nobody reads the request's body", async () => {
    const app = await start();
    const over = session(app);
    for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]) {
      const headers = { ':method': 'POST', 'content-type': 'application/octet-stream' };
      const stream = over.request({ ':path': '/posted', ...headers });
      stream.on('error', () => undefined);
      stream.write('x'.repeat(60_000));
      await until(() => app.sse.stats().connections === 1);
      stream.write('x'.repeat(200_000));
      stream.close(code);
      await untilNobodyIsLeft(app);
    }
    await expectRoom(app);
  });

  it('a stalled client counts once, and is gone', async () => {
    const app = await start({ stallTimeout: 200 });
    const over = session(app);
    ask(over, '/events');
    await until(() => app.sse.stats().connections === 1);
    for (let i = 0; i < 100; i++) {
      await app.sse.send('events', 'x'.repeat(10_000));
    }
    await untilNobodyIsLeft(app);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(app.sse.stats().stalled).toBe(1);
  });
});
