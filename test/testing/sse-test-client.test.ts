import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseTestClient } from '../../lib/testing/index.js';
import { until } from '../support/until.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const servers: Server[] = [];

function serverOf(handler: Handler): Server {
  const server = createServer(handler);
  servers.push(server);
  return server;
}

async function serve(handler: Handler): Promise<string> {
  const server = serverOf(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/events?a=1`;
}

const stream = (write: (response: ServerResponse, request: IncomingMessage) => void): Handler => {
  return (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    write(response, request);
  };
};

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    if (server.listening) await once(server, 'close');
  }
});

describe('SseTestClient', () => {
  it('resolves with the head before any frame on request, and records what comes', async () => {
    let send!: ServerResponse;
    const url = await serve(stream((response) => (send = response)));
    const client = await SseTestClient.connect(url, { awaitOpening: false });
    expect(client.opened.status).toBe(200);
    expect(client.opened.headers['content-type']).toBe('text/event-stream');
    expect(client.events).toEqual([]);

    const waiting = client.next();
    send.write('retry: 50\nid: 7\n\n: beat\n\ndata: first\n\nevent: tick\nid: 8\ndata: 2\n\n');
    expect(await waiting).toMatchObject({ type: 'message', data: 'first', id: '7' });
    expect(await client.next({ type: 'tick' })).toMatchObject({ data: '2', id: '8' });
    expect(client.retry).toBe(50);
    expect(client.lastEventId).toBe('8');
    expect(client.comments).toEqual(['beat']);
    expect(client.frames.map((frame) => frame.raw)[0]).toBe('retry: 50\nid: 7\n\n');
    expect(client.isOpen).toBe(true);
    await client.close();
    expect(await client.closed).toEqual({ by: 'client' });
  });

  it('resolves when the opening frame has arrived, however late that is', async () => {
    let send!: ServerResponse;
    const url = await serve(stream((response) => (send = response)));
    let isConnected = false;
    const connecting = SseTestClient.connect(url).then((client) => {
      isConnected = true;
      return client;
    });
    await until(() => send);
    send.write(': not yet\nretry: 5\nevent: sse:open\nda');
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(isConnected).toBe(false);
    send.write('ta: {"channels":[]}\nid: 7\n\n');
    const client = await connecting;
    expect([client.lastEventId, client.retry]).toEqual(['7', 5]);
    await client.close();
  });

  it('resolves when a stream ends without a frame, and rejects when no stream comes', async () => {
    const empty = await serve(stream((response) => void response.end()));
    const client = await SseTestClient.connect(empty);
    expect((await client.closed).by).toBe('server');
    const silent = await serve(stream(() => undefined));
    await expect(SseTestClient.connect(silent, { deadline: 2_000 })).rejects.toThrow(
      /Nothing within 2000 ms, while waiting for the first frame of .* `awaitOpening: false`/,
    );
  });

  it('never shows the credentials of its address', async () => {
    const url = new URL(await serve(stream(() => undefined)));
    url.username = 'me';
    url.password = 'secret';
    url.search = '?token=secret&room=a';
    // The head comes in time on a busy machine as well.
    await expect(SseTestClient.connect(url, { deadline: 2_000 })).rejects.toThrow(
      `the first frame of ${url.origin}${url.pathname}?token=…&room=…. Set`,
    );
    const headless = new URL(await serve(() => undefined));
    headless.password = 'secret';
    await expect(SseTestClient.connect(headless, { deadline: 50 })).rejects.toThrow(
      `No head from GET ${headless.origin}${headless.pathname}?a=… within 50 ms.`,
    );
  });

  it('skips sse:open unless the test asks for it', async () => {
    let send!: ServerResponse;
    const url = await serve(stream((response) => (send = response)));
    const client = await SseTestClient.connect(url, { awaitOpening: false });
    await until(() => send);
    const opening = client.next({ type: 'sse:open' });
    send.write('event: sse:open\ndata: {}\nid: 3\n\ndata: one\n\n');
    expect(await opening).toMatchObject({ type: 'sse:open', data: '{}', id: '3' });
    expect(await client.next()).toMatchObject({ data: 'one', id: '3' });
    expect(client.events).toHaveLength(1);
    expect(client.opening).toBe(await client.next({ type: 'sse:open' }));
    expect(client.frames).toHaveLength(2);
    await client.close();
    const other = await serve(stream((response) => void response.end('data: x\n\n')));
    const ended = await SseTestClient.connect(other);
    await expect(ended.next({ type: 'sse:open' })).rejects.toThrow('The stream has ended');
  });

  it('records a comment at the end of its line', async () => {
    let send!: ServerResponse;
    const url = await serve(stream((response) => (send = response)));
    const client = await SseTestClient.connect(url, { awaitOpening: false });
    await until(() => send);
    send.write(':\n');
    await until(() => client.comments.length === 1);
    send.write(': beat\n');
    await until(() => client.comments.length === 2);
    expect(client.frames).toEqual([]);
    send.write('data: x\n\n');
    expect((await client.next()).frame.comments).toEqual(['', 'beat']);
    expect(client.comments).toEqual(['', 'beat']);
    await client.close();
  });

  it('takes a number of events, each once, or waits for a certain one', async () => {
    const url = await serve(
      stream((response) => {
        for (let i = 1; i <= 10; i++) response.write(`id: ${i}\ndata: ${i}\n\n`);
      }),
    );
    const client = await SseTestClient.connect(url);
    expect((await client.take(3)).map((event) => event.data)).toEqual(['1', '2', '3']);
    expect((await client.take(2)).map((event) => event.data)).toEqual(['4', '5']);
    expect((await client.until((event) => event.data === '8')).id).toBe('8');
    expect((await client.next()).data).toBe('9');
    expect(client.events).toHaveLength(10);
    await client.close();
  });

  it('says what it waited for and what had arrived when a wait fails', async () => {
    const url = await serve(stream((response) => void response.write('id: 1\ndata: one\n\n')));
    const client = await SseTestClient.connect(url);
    await expect(client.take(2, { deadline: 50 })).rejects.toThrow(
      'Nothing within 50 ms, while waiting for 2 events, of which 1 came. ' +
        'Status 200, open, 1 events received, the last: message #1 one',
    );
    expect((await client.take(1))[0]?.data).toBe('one');
    await expect(client.next({ type: 'tick', deadline: 50 })).rejects.toThrow('of type "tick"');
    client.events.push(client.events[0]!);
    await expect(client.until((event) => BigInt(event.data) > 0)).rejects.toThrow(
      'The predicate has thrown',
    );
    await client.close();
    await expect(client.next()).rejects.toThrow('The stream has ended');
  });

  it('tells an orderly end from a broken connection', async () => {
    const responses: ServerResponse[] = [];
    const url = await serve(stream((response) => responses.push(response)));
    const [ended, broken] = await Promise.all([
      SseTestClient.connect(url, { awaitOpening: false }),
      SseTestClient.connect(url, { awaitOpening: false }),
    ]);
    const waits = [ended.next(), broken.next()].map((wait) =>
      expect(wait).rejects.toThrow('ended'),
    );
    const first = responses[0]!;
    first.end();
    const end = await Promise.race([ended.closed, broken.closed]);
    expect(end).toEqual({ by: 'server' });
    responses[1]!.destroy();
    const ends = await Promise.all([ended.closed, broken.closed]);
    expect(ends.map((each) => each.by).toSorted()).toEqual(['error', 'server']);
    await Promise.all(waits);
  });

  it('sends method, headers, body and the last event id, on reconnect as well', async () => {
    const heads: (string | undefined)[][] = [];
    const url = await serve(
      stream((response, { method, headers }) => {
        const id = headers['last-event-id'] as string | undefined;
        const decoded = id && Buffer.from(id, 'latin1').toString();
        heads.push([method, headers['x-user'] as string, headers.accept, decoded]);
        response.write(`id: ö${heads.length}\ndata: \n\n`);
      }),
    );
    const options = { method: 'POST', headers: { 'x-user': 'u' }, body: '{}', lastEventId: 'ü0' };
    const client = await SseTestClient.connect(url, options);
    expect((await client.next()).data).toBe('');
    await client.close();
    const again = await client.reconnect({ method: 'GET' });
    await again.next();
    await again.close();
    expect(heads).toEqual([
      ['POST', 'u', 'text/event-stream', 'ü0'],
      ['GET', 'u', 'text/event-stream', 'ö1'],
    ]);
    expect(again.url.search).toBe('?a=1');
  });

  it('keeps the body of an answer that is not an event stream', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(403, { 'content-type': 'application/json' }).end('{"message":"no"}');
    });
    const client = await SseTestClient.connect(url);
    expect([client.opened.status, client.body]).toEqual([403, '{"message":"no"}']);
    expect(await client.closed).toEqual({ by: 'server' });
  });

  it('waits for the end of such a body, and rejects when the end does not come', async () => {
    let end!: () => void;
    const url = await serve((_request, response) => {
      response.writeHead(500, { 'content-type': 'text/plain' }).write('be');
      end = () => response.end('gun');
    });
    await expect(SseTestClient.connect(url, { deadline: 2_000 })).rejects.toThrow(
      /the end of the answer of .*Status 500/,
    );
    const client = await SseTestClient.connect(url, { awaitOpening: false });
    expect(client.opened.status).toBe(500);
    await client.close();
    const whole = SseTestClient.connect(url);
    await until(() => end !== undefined);
    const timer = setInterval(() => end(), 5);
    expect((await whole).body).toBe('begun');
    clearInterval(timer);
  });

  it('rejects when nobody listens, and when the head does not come', async () => {
    await expect(SseTestClient.connect('http://127.0.0.1:1/')).rejects.toThrow('ECONNREFUSED');
    const url = await serve(() => undefined);
    await expect(SseTestClient.connect(url, { deadline: 50 })).rejects.toThrow('within 50 ms');
  });

  it('stops reading while it is paused', async () => {
    let send!: ServerResponse;
    const url = await serve(stream((response) => (send = response)));
    const client = await SseTestClient.connect(url, { awaitOpening: false });
    client.pause();
    const chunk = `data: ${'x'.repeat(100_000)}\n\n`;
    let written = 0;
    await until(
      () => {
        written++;
        return !send.write(chunk) && written > 200;
      },
      { every: 0, what: 'the socket to be full' },
    );
    expect(client.events.length).toBeLessThan(written / 2);
    client.resume();
    expect(await client.take(written)).toHaveLength(written);
    await client.close();
  });

  it('makes an application listen that does not listen yet', async () => {
    const server = serverOf(stream((response) => void response.write('data: app\n\n')));
    let listens = 0;
    const app = {
      getHttpServer: () => server,
      listen: async (port: number, host: string) => {
        listens++;
        server.listen(port, host);
        await once(server, 'listening');
      },
    };
    // Two at once, and one when it listens.
    const clients = await Promise.all(
      ['/one', '/two'].map((path) => SseTestClient.connect(app, path)),
    );
    clients.push(await SseTestClient.connect(app, '/three'));
    expect(clients.map(({ url }) => url.pathname)).toEqual(['/one', '/two', '/three']);
    for (const client of clients) {
      expect((await client.next()).data).toBe('app');
      await client.close();
    }
    expect(listens).toBe(1);
  });
});
