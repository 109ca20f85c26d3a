import { Controller, Sse } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import { get, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:http2';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { map, type Observable } from 'rxjs';
import { SseChannel, SseEvents, type SseEvent, type SseModuleOptions } from '../../lib/index.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class CompressedController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('two')
  @SseChannel(() => ['events', 'others'])
  two() {}

  @Sse('mapped')
  @SseChannel('events')
  mapped(@SseEvents() events$: Observable<SseEvent>) {
    return events$.pipe(map(({ data }) => ({ data: `mapped ${data as string}` })));
  }

  @Sse('plain')
  @SseChannel('events', { compression: 'none' })
  plain() {}
}

/** A client that decompresses what comes, if it is compressed, as it comes. */
class Client {
  headers: IncomingHttpHeaders = {};
  text = '';
  bytes = 0;
  hasEnded = false;
  error: Error | undefined;

  read(body: Readable, headers: IncomingHttpHeaders): void {
    this.headers = headers;
    body.on('data', (chunk: Buffer) => (this.bytes += chunk.length));
    body.on('error', (error) => (this.error = error));
    const isCompressed = headers['content-encoding'] === 'gzip';
    const frames = isCompressed ? body.pipe(createGunzip()) : body;
    frames.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    frames.on('end', () => (this.hasEnded = true));
    // A wrong checksum, or an end without one.
    frames.on('error', (error: Error) => (this.error = error));
  }

  get data(): string[] {
    return [...this.text.matchAll(/^data: (.*)$/gm)]
      .map(([, data]) => data!)
      .filter((data) => !data.includes('"channels"'));
  }

  get lastEventId(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)![1]!;
  }
}

const closing: (() => void)[] = [];

afterEach(async () => {
  closing.splice(0).forEach((close) => close());
  await closeApps();
});

const GZIP = { 'accept-encoding': 'gzip, deflate, br' };

async function read(
  app: TestApp,
  path: string,
  headers: Record<string, string> = GZIP,
): Promise<Client> {
  const client = new Client();
  const request = get(app.url + path, { headers, agent: false }, (response) =>
    client.read(response, response.headers),
  );
  request.on('error', (error) => (client.error = error));
  closing.push(() => request.destroy());
  await until(() => client.text.includes('retry:'));
  return client;
}

async function readHttp2(app: TestApp, path: string): Promise<Client> {
  const client = new Client();
  const session = connect(app.url);
  session.on('error', () => undefined);
  const stream = session.request({ ':path': path, ...GZIP });
  stream.on('response', (headers) => client.read(stream, headers as IncomingHttpHeaders));
  closing.push(() => session.destroy());
  await until(() => client.text.includes('retry:'));
  return client;
}

const SERVERS: Record<string, () => ExpressAdapter | FastifyAdapter> = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
  "Fastify's HTTP/2": () => new FastifyAdapter({ http2: true }) as unknown as FastifyAdapter,
};

const start = (server = 'Express', options: SseModuleOptions = {}) =>
  startApp({
    httpAdapter: SERVERS[server]!(),
    controllers: [CompressedController],
    options: { compression: 'shared', drainTimeout: 1_000, ...options },
  });

const orders = (n: number): string[] =>
  Array.from({ length: n }, (_, index) =>
    JSON.stringify({
      order: index,
      state: ['open', 'filled', 'cancelled'][index % 3],
      text: 'much the same in each of them, as events are '.repeat(4),
    }),
  );

describe.each(Object.keys(SERVERS))('With compression on %s', (server) => {
  const reader = server.includes('2') ? readHttp2 : read;

  it('a client receives each event as it is sent, in a third of the bytes, to a clean end', async () => {
    const app = await start(server);
    const [early, late] = [await reader(app, '/events'), await reader(app, '/events')];
    expect(early.headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: expect.stringMatching(/accept-encoding/i),
    });
    const data = orders(50);
    for (const [index, each] of data.entries()) {
      await app.sse.send('events', each);
      // Nothing waits in a compressor.
      await until(() => early.data.length === index + 1);
    }
    await until(() => late.data.length === 50);
    for (let burst = 0; burst < 10; burst++) {
      await app.sse.sendAll(data.map((each) => ({ channel: 'events', data: each })));
    }
    await until(() => late.data.length === 550 && early.data.length === 550);
    const expected = [...data, ...Array.from({ length: 10 }, () => data).flat()];
    expect(early.data).toEqual(expected);
    expect(late.data).toEqual(expected);
    expect(early.bytes).toBeLessThan(early.text.length / 3);
    await app.close();
    await until(() => early.hasEnded && late.hasEnded);
    expect([early.error, late.error]).toEqual([undefined, undefined]);
  });

  it.each(['/two', '/mapped'])('a client of %s receives what is for it alone', async (path) => {
    const app = await start(server);
    const client = await reader(app, path);
    expect(client.headers['content-encoding']).toBe('gzip');
    await app.sse.send('events', 'x'.repeat(1_000_000));
    await app.sse.send('events', 'last');
    await until(() => client.data.at(-1)?.endsWith('last'));
    expect(client.data.map(({ length }) => length)).toEqual(
      path === '/two' ? [1_000_000, 4] : [1_000_007, 11],
    );
    await app.sse.complete('events');
    await app.close();
    await until(() => client.hasEnded);
    expect(client.error).toBeUndefined();
  });
});

describe('A compressed stream', () => {
  it('resumes behind an id, and ends clean when it is revoked', async () => {
    const app = await start();
    const before = await read(app, '/events');
    const data = orders(20);
    await app.sse.sendAll(data.map((each) => ({ channel: 'events', data: each })));
    await until(() => before.data.length === 20);
    const id = before.text
      .match(/^id: .*$/gm)!
      .at(-11)!
      .slice(4);
    const back = await read(app, '/events', { ...GZIP, 'last-event-id': id });
    await until(() => back.data.length === 10);
    expect(back.data).toEqual(data.slice(10));
    await app.sse.disconnect({ channel: 'events' });
    await until(() => back.hasEnded && before.hasEnded);
    expect(back.text).toContain('event: sse:end');
    expect([back.error, before.error]).toEqual([undefined, undefined]);
  });

  it('brings comments to a client that waits', async () => {
    const app = await start('Express', { heartbeat: 20 });
    const client = await read(app, '/events');
    await until(() => (client.text.match(/^:/gm) ?? []).length >= 3);
    expect(client.error).toBeUndefined();
  });

  it.each<[string, Record<string, string>, string | undefined]>([
    ['none', {}, undefined],
    ['identity', { 'accept-encoding': 'identity' }, undefined],
    ['br', { 'accept-encoding': 'br' }, undefined],
    ['gzip;q=0', { 'accept-encoding': 'gzip;q=0, *' }, undefined],
    ['*', { 'accept-encoding': 'br;q=1.0, *;q=0.1' }, 'gzip'],
    ['GZIP', { 'accept-encoding': 'GZIP ; Q=0.5' }, 'gzip'],
    ['nonsense', { 'accept-encoding': ';;gzip;q=x,,' }, undefined],
  ])('is for those who accept it: Accept-Encoding %s', async (_, headers, encoding) => {
    const app = await start();
    const client = await read(app, '/events', headers);
    expect(client.headers['content-encoding']).toBe(encoding);
    await app.sse.send('events', 'one');
    await until(() => client.data.join() === 'one');
  });

  it('is not for an endpoint that says so, nor for a module that does not', async () => {
    const [app, other] = [await start(), await start('Express', { compression: 'none' })];
    expect((await read(app, '/plain')).headers['content-encoding']).toBeUndefined();
    expect((await read(other, '/events')).headers['content-encoding']).toBeUndefined();
  });
});
