import { Controller, ForbiddenException, Sse, type INestApplication } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { channelName, SseChannel, SseError } from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { RawStream } from './raw-stream.js';

interface Query {
  readonly query: Record<string, string>;
}

let release: () => void = () => undefined;
let resolverCalls = 0;
let handlerCalls = 0;

@Controller()
class RoomsController {
  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('both')
  @SseChannel(() => ['news', 'sport'])
  both() {}

  @Sse('rooms/:room/events')
  @SseChannel('room:{room}')
  room() {}

  @Sse('named')
  @SseChannel(({ query }: Query) => query['name']!)
  named() {}

  @Sse('many')
  @SseChannel(({ query }: Query) =>
    Array.from({ length: Number(query['count']) }, (_, i) => `c${i}`),
  )
  many() {}

  @Sse('denied')
  @SseChannel(() => Promise.reject(new ForbiddenException('Not yours.')))
  denied() {}

  @Sse('broken')
  @SseChannel(() => {
    throw new Error('a secret of the server');
  })
  broken() {}

  @Sse('wrong')
  @SseChannel(() => 7 as unknown as string)
  wrong() {}

  @Sse('slow')
  @SseChannel(async () => {
    resolverCalls++;
    await new Promise<void>((resolve) => (release = resolve));
    return 'slow';
  })
  slow() {
    handlerCalls++;
  }
}

describe.each(ADAPTERS)('Requests on %s', (adapter) => {
  afterEach(closeApps);

  const start = (options = {}) => startApp({ adapter, options, controllers: [RoomsController] });

  /** The status of a path that `URL` would normalise. */
  const statusOf = (app: INestApplication, path: string) =>
    new Promise<number>((resolve, reject) => {
      const { port } = app.getHttpServer().address() as { port: number };
      const sent = request({ port, host: '127.0.0.1', path, agent: false }, (response) => {
        resolve(response.statusCode!);
        response.destroy();
      });
      sent.once('error', reject).end();
    });

  describe('with a Last-Event-ID', () => {
    it.each([
      ['unknown', 'from-elsewhere-7'],
      ['of this log but not there yet', (id: string) => id.replace(/\d+$/, '999999')],
      ['of this log and negative', (id: string) => id.replace(/\d+$/, '-1')],
      ['of this log and no number', (id: string) => id.replace(/\d+$/, '1e1')],
      ['of this log and padded', (id: string) => id.replace(/\d+$/, '00')],
      ['malformed', ',:,;-'],
      ['emoji', '🙂'],
      ['as long as allowed', 'x'.repeat(100)],
      ['longer than allowed', 'y'.repeat(101)],
      ['far too long', 'z'.repeat(8_000)],
      ['an object key', '__proto__'],
    ])('that is %s get a reset and go on live', async (_, id) => {
      const { sse, connect, url } = await start({ limits: { lastEventIdLength: 100 } });
      const known = await sse.send('news', 'before');
      const lastEventId = typeof id === 'string' ? id : id(known);
      const byHeader = await connect('/news', { lastEventId });
      const byQuery = await RawStream.open(
        `${url}/news?lastEventId=${encodeURIComponent(lastEventId)}`,
      );
      try {
        const reset = await byHeader.next();
        expect(reset).toMatchObject({ type: 'sse:reset', id: known });
        expect(JSON.parse(reset.data)).toEqual({ channel: 'news', reason: 'unknown-position' });
        const after = await sse.send('news', 'after');
        expect(await byHeader.next()).toMatchObject({ data: 'after', id: after });
        expect(await byQuery.event(1)).toMatchObject({ data: 'after', id: after });
        expect(byQuery.opening!.id).toBeUndefined();
        expect(byQuery.afterOpening).toBe(
          `event: sse:reset\ndata: {"channel":"news","reason":"unknown-position"}\nid: ${known}\n\n` +
            `data: after\nid: ${after}\n\n`,
        );
      } finally {
        await byQuery.close();
      }
    });

    it('write nothing into the stream through line ends in their query', async () => {
      const { sse, url } = await start();
      const id = await sse.send('news', 'before');
      const forged = encodeURIComponent(`x\n\ndata: forged\n\n`);
      const stream = await RawStream.open(`${url}/news?lastEventId=${forged}`);
      await stream.event(0);
      expect(stream.afterOpening).toBe(
        'event: sse:reset\ndata: {"channel":"news","reason":"unknown-position"}\n' +
          `id: ${id}\n\n`,
      );
      await stream.close();
    });

    it('of another channel get a reset on each channel', async () => {
      const { sse, connect } = await start();
      const sport = await sse.send('sport', 'before');
      const single = await connect('/news', { lastEventId: sport });
      expect((await single.next()).type).toBe('sse:reset');
      const both = await connect('/both', { lastEventId: sport });
      expect(JSON.parse((await both.next()).data)).toEqual({
        channel: 'news',
        reason: 'unknown-position',
      });
      const foreign = await connect('/both', { lastEventId: 'AAAAAAAA:1-1,BBBBBBBB:2-2' });
      expect((await foreign.take(2)).map(({ type }) => type)).toEqual(['sse:reset', 'sse:reset']);
      await sse.send('sport', 'after');
      expect((await foreign.next()).data).toBe('after');
      expect((await both.next()).data).toBe('after');
    });

    it('of 100 kB are refused by the server, in header and query', async () => {
      const { connect, sse } = await start();
      const lastEventId = 'x'.repeat(100_000);
      expect((await connect('/news', { lastEventId })).opened.status).toBe(431);
      expect((await connect(`/news?lastEventId=${lastEventId}`)).opened.status).toBe(431);
      expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
    });

    it('given twice in the query get a reset, because nobody knows which one counts', async () => {
      const { connect, sse } = await start();
      await sse.send('news', 'before');
      const client = await connect('/news?lastEventId=a&lastEventId=b');
      expect(await client.next()).toMatchObject({
        type: 'sse:reset',
        data: expect.stringContaining('unknown-position'),
      });
    });

    it('given as an object or empty in the query begin live like new clients', async () => {
      const { connect, sse } = await start();
      await sse.send('news', 'before');
      for (const query of ['lastEventId[x]=a', 'lastEventId=']) {
        const client = await connect(`/news?${query}`);
        await until(() => client.lastEventId);
        expect(client.events).toEqual([]);
      }
    });
  });

  describe('with a route parameter', () => {
    it.each([
      ['1:secret', '1%3Asecret'],
      ['..%2f', '..%2F'],
      ['*', '%2A'],
      ['%2A', '%2A'],
      ['{room}', '%7Broom%7D'],
      ['%25', '%25'],
      ['a%00b', 'a%00b'],
      ['a%0d%0ab', 'a%0D%0Ab'],
      ['%F0%9F%99%82', '%F0%9F%99%82'],
      ['\'"', '%27%22'],
      ['A', 'A'],
      ['__proto__', '__proto__'],
    ])('%s can only name a channel of its template', async (parameter, encoded) => {
      const { sse, connect } = await start();
      const client = await connect(`/rooms/${parameter}/events`);
      await until(() => client.lastEventId);
      expect(sse.stats()).toMatchObject({ channels: 1, readers: 1 });
      await sse.send(`room:${encoded}`, 'here');
      expect((await client.next()).data).toBe('here');
      expect(channelName('room:{room}', { room: decodeURIComponent(parameter) })).toBe(
        `room:${encoded}`,
      );
    });

    it('get an error status when the parameter is empty, malformed or too long', async () => {
      const { app, sse } = await start();
      expect([400, 404]).toContain(await statusOf(app, '/rooms//events'));
      expect([400, 404]).toContain(await statusOf(app, '/rooms/%ED%A0%80/events'));
      expect([400, 404]).toContain(await statusOf(app, '/rooms/%zz/events'));
      expect([400, 404, 414]).toContain(await statusOf(app, `/rooms/${'x'.repeat(10_000)}/events`));
      expect(sse.stats()).toMatchObject({ channels: 0, readers: 0 });
    });
  });

  describe('for a channel', () => {
    it.each([
      ['empty', ''],
      ['of 10,000 bytes', 'x'.repeat(10_000)],
      ['of 1,025 bytes in fewer characters', '🙂'.repeat(256) + 'x'],
      ['with NUL', 'a\0b'],
      ['with line ends', 'a\r\nb'],
      ['with an escape code', 'a\x1b[2Jb'],
    ])('whose name is %s get 400', async (_, name) => {
      const { connect, sse } = await start();
      const client = await connect(`/named?name=${encodeURIComponent(name)}`);
      expect(client.opened.status).toBe(400);
      await expect(sse.send(name, 'x')).rejects.toMatchObject({ code: 'INVALID_CHANNEL' });
      expect(() => sse.stream(name)).toThrow(expect.objectContaining({ code: 'INVALID_CHANNEL' }));
      await expect(sse.complete(name)).rejects.toMatchObject({ code: 'INVALID_CHANNEL' });
      expect(sse.stats()).toMatchObject({ channels: 0, readers: 0 });
    });

    it.each([
      ['quotes', `"a" 'b' \`c\``],
      ['upper case', 'NEWS'],
      ['emoji', '🙂👩‍👩‍👧'],
      ['1,024 bytes', '🙂'.repeat(256)],
      ["a prototype's name", 'constructor'],
    ])('with %s in its name get a stream', async (_, name) => {
      const { sse, connect } = await start();
      const client = await connect(`/named?name=${encodeURIComponent(name)}`);
      await until(() => client.lastEventId);
      await sse.send(
        name.toLowerCase() === name ? [...name].slice(1).join('') : name.toLowerCase(),
        'elsewhere',
      );
      await sse.send(name, 'here');
      expect(await client.next()).toMatchObject({ data: 'here' });
      const returning = await connect(`/named?name=${encodeURIComponent(name)}`, {
        lastEventId: 'unknown',
      });
      expect(JSON.parse((await returning.next()).data)).toEqual({
        channel: name,
        reason: 'unknown-position',
      });
    });

    it('get 400 for more channels than one connection may have, and 404 for none', async () => {
      const { connect } = await start({ limits: { channelsPerConnection: 3 } });
      expect((await connect('/many?count=3')).opened.status).toBe(200);
      expect((await connect('/many?count=4')).opened.status).toBe(400);
      expect((await connect('/many?count=0')).opened.status).toBe(404);
    });

    it("get the resolver's exception through the exception filters", async () => {
      const { connect, sse } = await start();
      const denied = await connect('/denied');
      await denied.closed;
      expect(denied.opened.status).toBe(403);
      expect(JSON.parse(denied.body)).toMatchObject({ message: 'Not yours.' });
      const broken = await connect('/broken');
      await broken.closed;
      expect(broken.opened.status).toBe(500);
      expect(broken.body).not.toContain('secret');
      expect((await connect('/wrong')).opened.status).toBe(500);
      expect(sse.stats()).toMatchObject({ channels: 0, readers: 0, connections: 0 });
    });
  });

  it('leave nothing behind and reach no handler when they end while the resolver runs', async () => {
    const { app, sse, url } = await start();
    resolverCalls = 0;
    handlerCalls = 0;
    const client = await RawClient.get(url, '/slow');
    await until(() => resolverCalls === 1);
    client.destroy();
    const connections = () =>
      new Promise<number>((resolve) =>
        app.getHttpServer().getConnections((_: unknown, count: number) => resolve(count)),
      );
    await until(async () => (await connections()) === 0);
    release();
    await new Promise(setImmediate);
    expect(handlerCalls).toBe(0);
    expect(sse.stats()).toMatchObject({ connections: 0, readers: 0, channels: 0 });
  });

  it('get the head, no stream and no channel when their method is HEAD', async () => {
    const { connect, sse } = await start();
    for (const path of ['/news', '/both', '/rooms/1/events', '/slow']) {
      const client = await connect(path, { method: 'HEAD' });
      expect(client.opened.status).toBe(200);
      expect(client.opened.headers['content-type']).toBe('text/event-stream');
      await client.closed;
      expect(client.frames).toEqual([]);
    }
    expect(sse.stats()).toMatchObject({ connections: 0, readers: 0, channels: 0 });
  });

  it('find no endpoint when their method is POST, PUT or DELETE', async () => {
    const { connect } = await start();
    for (const method of ['POST', 'PUT', 'DELETE']) {
      expect((await connect('/news', { method })).opened.status).toBe(404);
    }
  });
});

describe('channelName()', () => {
  it.each([
    ['missing', {}],
    ['undefined', { id: undefined }],
    ['null', { id: null }],
    ['empty', { id: '' }],
    ['an object', { id: {} }],
    ['an array', { id: ['a'] }],
    ['a lone surrogate', { id: 'a\ud800' }],
    ['too long', { id: 'x'.repeat(1_024) }],
  ])('refuses a value that is %s', (_, values) => {
    expect(() => channelName('job:{id}', values)).toThrow(SseError);
    expect(() => channelName('job:{id}', values)).toThrow(
      expect.objectContaining({ code: 'INVALID_CHANNEL' }),
    );
  });

  it('never gives two sets of values one name', () => {
    const values = [
      'a',
      'A',
      'a:b',
      'a%3Ab',
      '*',
      '%2A',
      '%',
      '%25',
      ':',
      '',
      ' ',
      '/',
      '..',
      '🙂',
      "'",
    ];
    const names = new Set<string>();
    let count = 0;
    for (const first of values.filter(Boolean)) {
      for (const second of values.filter(Boolean)) {
        names.add(channelName('t:{first}:{second}', { first, second }));
        count++;
      }
    }
    expect(names.size).toBe(count);
  });
});
