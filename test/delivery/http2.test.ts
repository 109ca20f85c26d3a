import { Controller, Sse } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { ExpressAdapter } from '@nestjs/platform-express';
import { createServer } from 'node:https';
import { map, type Observable } from 'rxjs';
import { SseChannel, SseEvents, type SseEvent } from '../../lib/index.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { projectRoot } from '../support/project-root.js';
import { until } from '../support/until.js';

@Controller()
class Http2Controller {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('mapped')
  @SseChannel('events')
  mapped(@SseEvents() events$: Observable<SseEvent>) {
    return events$.pipe(map(({ data }) => ({ data: `mapped ${data as string}` })));
  }
}

class Stream {
  text = '';
  status = 0;
  ended = false;

  constructor(readonly stream: ClientHttp2Stream) {
    stream.setEncoding('utf8');
    stream.on('response', (headers) => (this.status = Number(headers[':status'])));
    stream.on('end', () => (this.ended = true));
    stream.on('error', () => undefined);
  }

  read(): this {
    this.stream.on('data', (chunk: string) => (this.text += chunk));
    return this;
  }

  get data(): string[] {
    return [...this.text.matchAll(/(retry: \d+\nevent: sse:open\n)?^data: (.*)$/gm)].flatMap(
      ([, opening, data]) => (opening ? [] : [data!]),
    );
  }

  get lastEventId(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
  }
}

const sessions: ClientHttp2Session[] = [];

function session(url: string, options = {}): ClientHttp2Session {
  const made = connect(url.replace('http:', options && 'ca' in options ? 'https:' : 'http:'), {
    settings: { initialWindowSize: 65_535 },
    ...options,
  });
  made.on('error', () => undefined);
  sessions.push(made);
  return made;
}

const request = (over: ClientHttp2Session, path: string, headers = {}): Stream =>
  new Stream(over.request({ ':path': path, ...headers }));

afterEach(async () => {
  sessions.splice(0).forEach((each) => each.destroy());
  await closeApps();
});

describe('Over HTTP/2', () => {
  it.each(['/events', '/mapped'])(
    'a client of %s streams, resumes and completes in clear text',
    async (path) => {
      const app = await startApp({
        httpAdapter: new FastifyAdapter({ http2: true }),
        controllers: [Http2Controller],
      });
      const over = session(app.url);
      const client = request(over, path).read();
      await until(() => client.lastEventId);
      expect(client.status).toBe(200);
      await app.sse.send('events', 'one');
      await until(() => client.data.length === 1);
      const { lastEventId } = client;
      client.stream.close();
      await until(() => app.sse.stats().connections === 0);
      await app.sse.send('events', 'two');
      const again = request(over, path, { 'last-event-id': lastEventId }).read();
      await until(() => again.data.length === 1);
      expect(again.data[0]).toMatch(/two$/);
      await app.sse.complete('events');
      await until(() => again.ended);
      expect(again.data.at(-1)).toBe('[DONE]');
      const ended = request(over, path, { 'last-event-id': again.lastEventId }).read();
      await until(() => ended.status);
      expect(ended.status).toBe(204);
    },
  );

  it('one client that does not read stalls its stream and not the session', async () => {
    const app = await startApp({
      httpAdapter: new FastifyAdapter({ http2: true }),
      controllers: [Http2Controller],
      options: { retain: { events: 100, bytes: 200_000 } },
    });
    const over = session(app.url);
    await once(over, 'connect');
    over.setLocalWindowSize(64 * 1024 * 1024);
    const stalled = request(over, '/events');
    const reader = request(over, '/events').read();
    await until(() => app.sse.stats().connections === 2);
    const block = 'x'.repeat(2_000);
    const count = 3_000;
    for (let i = 0; i < count; i++) {
      await app.sse.send('events', `${i}:${block}`);
      if (i % 50 === 49) {
        // The stalled stream must not keep the other from reading along.
        await until(() => reader.text.includes(`data: ${i}:`));
      }
    }
    expect(reader.data.map((data) => Number(data.split(':', 1)[0]))).toEqual(
      Array.from({ length: count }, (_, i) => i),
    );
    stalled.read();
    await until(() => stalled.text.includes('sse:reset'));
    await app.sse.send('events', 'after');
    await until(() => stalled.data.at(-1) === 'after');
  });

  it('all streams of a session end when the application closes', async () => {
    const app = await startApp({
      httpAdapter: new FastifyAdapter({ http2: true }),
      controllers: [Http2Controller],
    });
    const over = session(app.url);
    const clients = Array.from({ length: 20 }, () => request(over, '/events').read());
    await until(() => app.sse.stats().connections === 20);
    over.once('goaway', () => over.close());
    const closed = app.app.close();
    await until(() => clients.every(({ ended }) => ended));
    over.close();
    await closed;
  });
});

describe('Over TLS', () => {
  // A self-signed certificate that is good for nothing but tests.
  const read = (name: string) => readFileSync(join(projectRoot, 'test/support/tls', name));
  const key = read('key.pem');
  const cert = read('cert.pem');

  it('HTTPS carries the same stream', async () => {
    const adapter = new ExpressAdapter();
    adapter.setHttpServer(createServer({ key, cert }, adapter.getInstance()));
    let app: TestApp | undefined;
    adapter.initHttpServer = () => undefined;
    app = await startApp({ httpAdapter: adapter, controllers: [Http2Controller] });
    const agent = new Agent({ rejectUnauthorized: false });
    let text = '';
    const call = get(`${app.url.replace('http:', 'https:')}/events`, { agent }, (response) => {
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    });
    call.on('error', () => undefined);
    await until(() => text.includes('id: '));
    for (let i = 0; i < 500; i++) {
      await app.sse.send('events', `${i}:${'x'.repeat(500)}`);
    }
    await until(() => text.includes('499:'));
    const numbers = [...text.matchAll(/^data: (\d+):/gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 500 }, (_, i) => i));
    agent.destroy();
  });
});
