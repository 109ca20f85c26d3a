import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SseSnapshot } from '../../lib/index.js';
import { SseTestClient, type SseTestClientOptions } from '../../lib/testing/index.js';
import { expectValid, type OpenApi } from '../swagger/open-api.js';
import { openEvents } from './open-events.js';
import { startSample, type SampleProcess } from './sample-process.js';
import { Visitor, comingsAndGoings } from './visitor.js';
import { until } from '../support/until.js';

let sample: SampleProcess;
let address: string;
const open: SseTestClient[] = [];

beforeAll(async () => {
  sample = await startSample();
  address = await sample.address();
});
afterEach(() => {
  for (const stream of open.splice(0)) void stream.close();
});
afterAll(() => sample?.dispose());

async function listen(path: string, options?: SseTestClientOptions): Promise<SseTestClient> {
  const stream = await openEvents(address + path, options);
  open.push(stream);
  return stream;
}

function send(method: string, path: string, body?: unknown, type = 'application/json') {
  return fetch(address + path, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': type },
      body: type === 'application/json' ? JSON.stringify(body) : String(body),
    }),
  });
}

describe('The inspector of the sample', () => {
  it('shows itself to whoever knows the password', async () => {
    const look = (password: string, path = '') =>
      fetch(`${address}/inspector${path}`, {
        headers: { authorization: `Basic ${btoa(`anybody:${password}`)}` },
      });
    const refused = await look('guess');
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="inspector"',
    ]);
    expect((await fetch(`${address}/inspector/channels`)).status).toBe(401);
    expect(await (await look('sample')).text()).toContain('src="./inspector/assets/main.js"');
    expect((await look('sample', '/channels')).status).toBe(200);
  });
});

describe('Publishing over HTTP in the sample', () => {
  it('reaches the rooms of whoever knows the token', async () => {
    const stream = await listen('/events/rooms/published');
    const publish = (token: string, channel: string) =>
      fetch(`${address}/publish`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ channel, data: 'From another program' }),
      });
    expect((await publish('guess', 'room:published')).status).toBe(401);
    expect((await publish('sample', 'orders')).status).toBe(403);
    const answer = await publish('sample', 'room:published');
    const { id } = (await answer.json()) as { id: string };
    expect([answer.status, id]).toEqual([200, expect.any(String)]);
    expect(await stream.next()).toMatchObject({ data: 'From another program', id });
  });
});

describe('The page of the sample', () => {
  it('comes with its files, and loads nothing from elsewhere', async () => {
    const html = await (await send('GET', '/')).text();
    const named = [...html.matchAll(/<(\w+)[^>]* (?:src|href)="([^"]+)"/g)];
    const files = named.filter(([, tag]) => tag !== 'a').map(([, , file]) => file!);

    expect(files).toEqual(expect.arrayContaining(['style.css', 'app.js']));
    for (const file of files) {
      const response = await send('GET', `/${file}`);
      expect([file, response.status]).toEqual([file, 200]);
      expect((await response.text()).replace('http://www.w3.org/2000/svg', '')).not.toMatch(
        /https?:\/\//,
      );
    }
  });

  it('has the client for browsers as one script', async () => {
    const response = await send('GET', '/sse-client.js');
    expect(response.headers.get('content-type')).toMatch(/^text\/javascript/);
    const script = await response.text();
    expect(script).toMatch(/export \{[^}]*\bSseClient\b[^}]*\bshareTabs\b[^}]*\};\s*$/);
    expect(script).not.toMatch(/^import /m);
  });

  it('shows what the sample runs on', async () => {
    const stats = await (await send('GET', '/stats')).json();
    expect(stats).toMatchObject({
      uses: { cache: 'in-process', postgres: 'embedded, in a temporary folder' },
    });
  });

  it.each(['ready', 'live'])('is %s', async (check) => {
    const response = await send('GET', `/health/${check}`);
    expect([response.status, await response.json()]).toEqual([
      200,
      expect.objectContaining({ status: 'ok' }),
    ]);
  });
});

describe('The OpenAPI document of the sample', () => {
  it('describes every stream, and has a page of its own', async () => {
    const document = (await (await send('GET', '/api-json')).json()) as OpenApi;
    await expectValid(document);
    const streams = Object.keys(document.paths).filter((path) => path.startsWith('/events/'));
    expect(streams).toHaveLength(8);
    for (const path of streams) {
      expect(document.paths[path]!['get']!.responses['200']!.content).toHaveProperty([
        'text/event-stream',
        'itemSchema',
      ]);
    }
    const page = await send('GET', '/api');
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ]);
  });
});

describe('The stream of the sample', () => {
  const names = ['user_updates', 'orders', 'room:one', 'key-of-one'];

  it.each(['GET', 'POST'])(
    'brings channels of all sources by one connection to a %s',
    async (method) => {
      const query = names.map((name) => `&channel=${encodeURIComponent(name)}`).join('');
      const stream =
        method === 'GET'
          ? await listen(`/stream?ids=channel${query}`)
          : await listen('/stream', {
              method,
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify({ channels: names, ids: 'channel' }),
            });
      const { labels } = JSON.parse(stream.opening!.data) as { labels: Record<string, string> };
      expect(Object.values(labels)).toEqual(names);
      const [first] = await stream.take(1);
      expect(first!.type).toBe('sse:snapshot');
      expect(JSON.parse(first!.data) as SseSnapshot).toEqual({
        channel: 'orders',
        state: expect.any(Array),
      });

      await send('POST', '/users', { name: 'Ida', status: 'online' });
      await send('POST', '/orders', { item: `tea by ${method}` });
      await send('POST', '/rooms/one', 'Hi', 'text/plain');
      await send('PUT', '/keys/key-of-one', { percent: 5 });
      const events = await stream.take(names.length);
      const byChannel = Object.fromEntries(
        events.map(({ id, data }) => [labels[id.slice(0, id.indexOf(':'))], data]),
      );
      expect(byChannel).toEqual({
        user_updates: expect.stringContaining('"Ida"'),
        orders: expect.stringContaining(`tea by ${method}`),
        'room:one': 'Hi',
        'key-of-one': '{"percent":5}',
      });
    },
  );

  it('refuses other channels', async () => {
    const answer = await send('GET', '/stream?channel=inbox%3Aada');
    expect(answer.status).toBe(403);
    await answer.body?.cancel();
  });
});

describe('The users of the sample', () => {
  it('stream every written row, with the operation as type', async () => {
    const users = await listen('/events/users');

    const created = await send('POST', '/users', { name: 'Ada', status: 'online' });
    const user = (await created.json()) as { id: number };
    expect(created.status).toBe(201);
    expect(user).toEqual({ id: expect.any(Number), name: 'Ada', status: 'online' });

    const updated = await send('PATCH', `/users/${user.id}`, { status: 'away' });
    expect(updated.status).toBe(200);
    expect(await updated.json()).toEqual({ ...user, status: 'away' });

    const events = await users.take(2);
    expect(events.map(({ type }) => type)).toEqual(['insert', 'update']);
    expect(events.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      user,
      { ...user, status: 'away' },
    ]);
  });

  it('stream the key of a row that is too large for a notification', async () => {
    const users = await listen('/events/users');
    const created = await send('POST', '/users', { name: 'x'.repeat(20_000), status: 'online' });
    const { id } = (await created.json()) as { id: number };
    expect(created.status).toBe(201);
    const [event] = await users.take(1);
    expect(JSON.parse(event!.data)).toEqual({ truncated: true, id });
  });
});

describe('The keys of the sample', () => {
  it.each([
    ['/keys', 'application/json', { percent: 50 }, '{"percent":50}'],
    ['/keys', 'text/plain', 'half done', 'half done'],
    ['/cache', 'application/json', { percent: 50 }, '{"percent":50}'],
    ['/cache', 'text/plain', 'half done', 'half done'],
  ])('deliver PUT %s/:key with %s', async (path, type, body, data) => {
    const key = `job ${encodeURIComponent(path + type)}`;
    const stream = await listen(`/events/keys/${encodeURIComponent(key)}`);
    const response = await send('PUT', `${path}/${encodeURIComponent(key)}`, body, type);
    expect(response.status).toBe(204);
    expect((await stream.take(1)).map((event) => event.data)).toEqual([data]);
  });

  it('end the stream at the done signal, and answer its reconnect with 204', async () => {
    const stream = await listen('/events/keys/done');
    expect((await send('DELETE', '/keys/done')).status).toBe(204);
    const [last] = await stream.take(1);
    expect(last!.data).toBe('[DONE]');
    expect(await stream.closed).toEqual({ by: 'server' });

    const again = await stream.reconnect();
    expect(again.opened.status).toBe(204);
  });
});

describe('The rooms of the sample', () => {
  it('get a message once, however often it is posted with one key', async () => {
    const room = await listen('/events/rooms/once');
    const post = (text: string, key: string) =>
      fetch(`${address}/rooms/once`, {
        method: 'POST',
        headers: { 'content-type': 'text/plain', 'idempotency-key': key },
        body: text,
      });
    const first = await (await post('a', 'k')).json();
    expect(await (await post('a', 'k')).json()).toEqual(first);
    expect((await post('b', 'x'.repeat(10_000))).status).toBe(400);
    await post('b', 'another');
    const [a, b] = [await room.next(), await room.next()];
    expect([a.data, b.data]).toEqual(['a', 'b']);
  });

  it('deliver JSON and text to every listener, and to nobody in another room', async () => {
    const [first, second, other] = await Promise.all(
      ['lobby', 'lobby', 'attic'].map((room) => listen(`/events/rooms/${room}`)),
    );
    const posted = await send('POST', '/rooms/lobby', { from: 'Ada', text: 'Hi' });
    expect(posted.status).toBe(201);
    await send('POST', '/rooms/lobby', 'two\nlines', 'text/plain');
    await send('POST', '/rooms/attic', 'elsewhere', 'text/plain');

    for (const stream of [first!, second!]) {
      const events = await stream.take(2);
      expect(events.map(({ data }) => data)).toEqual(['{"from":"Ada","text":"Hi"}', 'two\nlines']);
    }
    expect((await other!.take(1)).map(({ data }) => data)).toEqual(['elsewhere']);
    const { id } = (await posted.json()) as { id: string };
    expect(first!.events[0]!.id).toBe(id);
  });
});

describe('The inboxes of the sample', () => {
  const ticketOf = async (user: string) => (await send('POST', `/inboxes/${user}/ticket`)).text();

  it('open by a ticket of their user, once', async () => {
    const ticket = await ticketOf('ada');
    const ada = await listen(`/events/inboxes/ada?ticket=${ticket}`);
    await send('POST', '/inboxes/bob', 'for Bob', 'text/plain');
    await send('POST', '/inboxes/ada', 'for Ada', 'text/plain');
    expect((await ada.next()).data).toBe('for Ada');
    expect((await listen(`/events/inboxes/ada?ticket=${ticket}`)).opened.status).toBe(401);
    const missed = `ticket=${await ticketOf('ada')}&lastEventId=earliest`;
    const again = await listen(`/events/inboxes/ada?${missed}`);
    expect((await again.next()).data).toBe('for Ada');
  });

  it('stay closed without a ticket, and for that of another user', async () => {
    expect((await listen('/events/inboxes/ada')).opened.status).toBe(401);
    const path = `/events/inboxes/ada?ticket=${await ticketOf('bob')}`;
    expect((await listen(path)).opened.status).toBe(403);
  });
});

describe('The lounge of the sample', () => {
  const enter = async (visitor: Visitor, room: string) => {
    const stream = await visitor.enter(room);
    open.push(stream);
    return stream;
  };

  it('is closed for those who are not logged in', async () => {
    expect((await listen('/events/lounges/lobby')).opened.status).toBe(401);
    for (const [method, path] of [
      ['GET', '/session'],
      ['DELETE', '/sessions'],
      ['POST', '/lounges/lobby/messages'],
      ['POST', '/lounges/lobby/typing'],
    ] as const) {
      expect((await send(method, path)).status).toBe(401);
    }
    const headers = { cookie: `lounge=${Buffer.from('Ada').toString('base64url')}.guessed` };
    expect((await fetch(`${address}/session`, { headers })).status).toBe(401);
  });

  it.each(['', ' ', 'x'.repeat(41), 'a\0b'])('refuses the name %j', async (name) => {
    expect((await send('POST', '/session', name, 'text/plain')).status).toBe(400);
  });

  it('shows who is here, what they say and who types; a reload is no leave', async () => {
    const [ada, bob] = await Promise.all([
      Visitor.logIn(address, 'Ada'),
      Visitor.logIn(address, 'Bob 😀'),
    ]);
    const watcher = await enter(ada!, 'talk');
    await watcher.until(({ data }) => data.includes('Ada'));
    const before = await enter(bob!, 'talk');
    await watcher.until(({ data }) => data.includes('Bob'));
    await before.close();
    const after = await enter(bob!, 'talk');
    const { state } = JSON.parse((await after.next()).data) as SseSnapshot<string[]>;
    expect(state).toEqual(['Ada', 'Bob 😀']);

    expect(await bob!.send('POST', '/lounges/talk/typing')).toBe(204);
    expect(await bob!.send('POST', '/lounges/talk/messages', 'Hi')).toBe(201);
    await watcher.until(({ type }) => type === 'typing');
    const message = await watcher.until(({ type }) => type === 'message');
    expect(JSON.parse(message.data)).toEqual({ from: 'Bob 😀', text: 'Hi' });

    // The schema of the channel refuses it.
    expect(await bob!.send('POST', '/lounges/talk/messages', 'x'.repeat(2_001))).toBe(400);

    await after.close();
    await watcher.until(({ type }) => type === 'sse:leave');
    expect(watcher.events.filter(({ type }) => type === 'message')).toHaveLength(1);
    expect(comingsAndGoings(watcher, 'Bob 😀')).toEqual(['sse:join', 'sse:leave']);
  });

  it("ends all streams of a visitor who logs out, and nobody else's", async () => {
    const [phone, laptop, other] = await Promise.all(
      ['Eve', 'Eve', 'Tom'].map((name) => Visitor.logIn(address, name)),
    );
    const streams = [await enter(phone!, 'one'), await enter(laptop!, 'two')];
    const stays = await enter(other!, 'one');
    await stays.until(({ data }) => data.includes('Tom'));

    expect(await phone!.send('DELETE', '/sessions')).toBe(204);
    for (const stream of streams) {
      expect(await stream.closed).toEqual({ by: 'server' });
      expect((await stream.reconnect()).opened.status).toBe(401);
    }
    expect(await laptop!.send('GET', '/session')).toBe(401);
    await stays.until(({ type }) => type === 'sse:leave');
    expect(await other!.send('POST', '/lounges/one/messages', 'Still here')).toBe(201);
    await stays.until(({ data }) => data.includes('Still here'));

    const eve = await Visitor.logIn(address, 'Eve');
    const again = await until(async () => {
      const client = await enter(eve, 'one');
      // Who comes within a second is sent away, to return.
      return client.opening && client;
    });
    expect((await again.next()).type).toBe('sse:snapshot');
  });
});

describe('The clock of the sample', () => {
  it('tells the time, later each time', async () => {
    const clock = await SseTestClient.connect(`${address}/events/clock`);
    open.push(clock);
    const times = (await clock.take(2)).map(({ data }) => JSON.parse(data) as { time: string });
    expect(Date.parse(times[1]!.time)).toBeGreaterThan(Date.parse(times[0]!.time));
  });
});

describe('The orders of the sample', () => {
  it('stream committed events and none that was rolled back, also to clients that return later', async () => {
    const orders = await listen('/events/orders');
    const place = async (item: string, rollback: boolean) => {
      const response = await send('POST', '/orders', { item, rollback });
      expect(response.status).toBe(201);
      return (await response.json()) as { order: { id: number }; committed: boolean };
    };
    const first = await place('tea', false);
    expect(await place('undone', true)).toMatchObject({ committed: false });
    const last = await place('coffee', false);
    const [before, ...events] = await orders.take(3);
    expect(before!.type).toBe('sse:snapshot');
    expect(events.map(({ type, data }) => [type, JSON.parse(data) as unknown])).toEqual([
      ['insert', { id: first.order.id, item: 'tea' }],
      ['insert', { id: last.order.id, item: 'coffee' }],
    ]);
    const back = await listen('/events/orders', { lastEventId: events[0]!.id });
    expect(await back.next()).toMatchObject({ data: events[1]!.data });
    const later = await listen('/events/orders');
    const { channel, state } = JSON.parse((await later.next()).data) as SseSnapshot<unknown[]>;
    expect(channel).toBe('orders');
    expect(state.slice(-2)).toEqual(events.map(({ data }) => JSON.parse(data) as unknown));
  });
});

describe('For bad input the sample', () => {
  it.each([
    ['POST', '/users', undefined, 'application/json', 400, /JSON object/],
    ['POST', '/users', [], 'application/json', 400, /JSON object/],
    ['POST', '/users', { name: 'Ada' }, 'application/json', 400, /"status" is missing/],
    ['POST', '/users', { name: '', status: 'online' }, 'application/json', 400, /"name" must/],
    ['POST', '/users', { name: 7, status: 'online' }, 'application/json', 400, /"name" must/],
    ['POST', '/users', { name: 'a\0b', status: 'online' }, 'application/json', 400, /NUL/],
    ['POST', '/users', 'Ada', 'text/plain', 400, /JSON object/],
    ['PATCH', '/users/1', {}, 'application/json', 400, /Nothing to change/],
    ['PATCH', '/users/1x', { status: 'away' }, 'application/json', 400, /not "1x"/],
    ['PATCH', '/users/99999999999', { status: 'away' }, 'application/json', 400, /whole number/],
    ['PATCH', '/users/2147483647', { status: 'away' }, 'application/json', 404, /No user/],
    ['POST', '/orders', {}, 'application/json', 400, /"item": "tea"/],
    ['POST', '/orders', { item: 'x', rollback: 1 }, 'application/json', 400, /"rollback" must/],
    ['PUT', '/keys/a', undefined, 'application/json', 400, /body is empty/],
    ['PUT', '/cache/a', undefined, 'application/json', 400, /body is empty/],
    ['POST', '/rooms/a', undefined, 'application/json', 400, /body is empty/],
    ['POST', '/rooms/a', 'x=1', 'application/x-www-form-urlencoded', 415, /text\/plain/],
    ['POST', '/nowhere', 'x', 'text/plain', 404, /nowhere/],
  ])('answers %s %s with %j as %s: %d', async (method, path, body, type, status, message) => {
    const response = await send(method, path, body, type);
    expect(response.status).toBe(status);
    expect(((await response.json()) as { message: string }).message).toMatch(message);
  });

  it('refuses a room or a user whose name is too long for a channel', async () => {
    const name = 'a'.repeat(10_000);
    for (const path of [`/rooms/${name}`, `/inboxes/${name}`, `/inboxes/${name}/ticket`]) {
      const response = await send('POST', path, 'x', 'text/plain');
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'INVALID_CHANNEL' });
    }
  });

  it('refuses malformed JSON', async () => {
    const response = await fetch(`${address}/rooms/a`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"a":',
    });
    expect(response.status).toBe(400);
  });
});
