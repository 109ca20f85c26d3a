import { Controller, Query, Sse, UseGuards } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { NEVER, of } from 'rxjs';
import { SseChannel, SseTickets, SseTicketGuard, type SseModuleOptions } from '../../lib/index.js';
import { errorLog } from '../support/error-log.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

interface AppRequest {
  readonly headers: Record<string, string | undefined>;
}

/** What `client` of the endpoint `/answered` answers in the test at hand. */
let answer: unknown;
let resolved = 0;

@Controller()
class RoomsController {
  @Sse('rooms/:room')
  @SseChannel('room:{room}')
  room() {}

  @Sse('own/:room')
  @SseChannel('room:{room}', {
    client: ({ headers }: AppRequest) => headers['x-own'],
  })
  own() {}

  @Sse('several')
  @SseChannel(({ query }: { query: { of: string } }) => query.of.split(','))
  several() {}

  @Sse('handled/:room')
  @SseChannel('room:{room}')
  handled() {
    return NEVER;
  }

  @Sse('bare')
  @SseChannel()
  bare() {
    return NEVER;
  }

  @Sse('short')
  @SseChannel('room:short')
  short(@Query('data') data: string) {
    return of(data);
  }

  @Sse('ticket')
  @UseGuards(SseTicketGuard)
  @SseChannel('room:ticket')
  ticket() {}

  @Sse('answered')
  @SseChannel(
    () => {
      resolved++;
      return 'room:answered';
    },
    { client: () => answer as string },
  )
  answered() {}
}

const byHeader = ({ headers }: AppRequest) => {
  const id = headers['x-user'];
  return id === undefined ? undefined : { id, info: { name: `${id}!`, admin: false } };
};

describe.each(ADAPTERS)('The connections of an instance on %s', (adapter) => {
  afterEach(async () => {
    jest.restoreAllMocks();
    await closeApps();
  });

  const start = async (options: SseModuleOptions = { client: byHeader }) => {
    const { lines, logger } = errorLog();
    const app = await startApp({
      adapter,
      options,
      controllers: [RoomsController],
      logger,
    });
    const as = (user: string, path: string) => app.connect(path, { headers: { 'x-user': user } });
    return { ...app, as, lines };
  };

  it('tell their client, its info, their channels and since when they are open', async () => {
    const { as, connect, sse } = await start();
    const before = Date.now();
    await as('ann', '/rooms/a');
    await as('bob', '/several?of=b,c');
    await as('eve', '/handled/d');
    await connect('/bare');
    const found = sse.connections();
    expect(found).toMatchObject([
      { client: 'ann', info: { name: 'ann!', admin: false }, channels: ['room:a'] },
      { client: 'bob', info: { name: 'bob!', admin: false }, channels: ['b', 'c'] },
      { client: 'eve', channels: ['room:d'] },
      { client: undefined, info: undefined, channels: [] },
    ]);
    expect(new Set(found.map(({ id }) => id)).size).toBe(4);
    for (const { openedAt } of found) {
      // Two clocks, which differ by parts of a millisecond.
      expect(openedAt.getTime()).toBeGreaterThanOrEqual(before - 1_000);
      expect(openedAt.getTime()).toBeLessThanOrEqual(Date.now() + 1_000);
    }
    expect(sse.connections()).toEqual(found);
  });

  it('are found by client and channel, of which both must hold', async () => {
    const { as, sse } = await start();
    await as('ann', '/rooms/a');
    await as('ann', '/several?of=room:a,b');
    await as('bob', '/rooms/a');
    const count = (filter: object) => sse.connections(filter).length;
    expect(count({ client: 'ann' })).toBe(2);
    expect(count({ channel: 'room:a' })).toBe(3);
    expect(count({ client: 'ann', channel: 'b' })).toBe(1);
    expect(count({ client: 'bob', channel: 'b' })).toBe(0);
    expect(count({ client: 'nobody' })).toBe(0);
  });

  it('come page by page, also when connections between two pages close and open', async () => {
    const { as, sse } = await start();
    const clients = [];
    for (let i = 0; i < 5; i++) {
      clients.push(await as(`user ${i}`, '/rooms/a'));
    }
    const first = sse.connections({ limit: 2 });
    expect(first.map(({ client }) => client)).toEqual(['user 0', 'user 1']);
    await clients[1]!.close();
    await clients[2]!.close();
    await as('user 5', '/rooms/a');
    await until(() => sse.stats().connections === 4);
    const second = sse.connections({ limit: 2, after: first.at(-1)!.id });
    expect(second.map(({ client }) => client)).toEqual(['user 3', 'user 4']);
    const third = sse.connections({ limit: 2, after: second.at(-1)!.id });
    expect(third.map(({ client }) => client)).toEqual(['user 5']);
    expect(sse.connections({ after: third.at(-1)!.id })).toEqual([]);
  });

  it('are 100 at most without a limit', async () => {
    const { as, sse } = await start();
    await Promise.all(Array.from({ length: 105 }, (_, i) => as(`${i}`, '/rooms/a')));
    expect(sse.connections()).toHaveLength(100);
    expect(sse.connections({ limit: 1_000 })).toHaveLength(105);
  });

  it('are gone from the list once their streams have ended', async () => {
    const { as, sse } = await start();
    const short = await as('ann', '/short?data=x');
    await short.closed;
    const left = await as('ann', '/rooms/a');
    await left.close();
    const ended = await as('ann', '/rooms/ended');
    await sse.complete('room:ended');
    await ended.closed;
    await until(() => sse.connections().length === 0);
  });

  it("have the endpoint's client where it has a function of its own", async () => {
    const { connect, sse } = await start();
    await connect('/own/a', { headers: { 'x-user': 'ann', 'x-own': 'her' } });
    await connect('/own/a', { headers: { 'x-user': 'ann' } });
    expect(sse.connections().map(({ client }) => client)).toEqual(['her', undefined]);
  });

  it('have the client of their ticket where nobody else names one', async () => {
    const { app, connect, sse } = await start({});
    const ticket = await app.get(SseTickets).issue({ channel: 'room:ticket', client: 'ann' });
    await connect(`/ticket?ticket=${ticket}`);
    expect(sse.connections()).toMatchObject([{ client: 'ann', info: undefined }]);
  });

  it('have a copy of the info, which nobody can change', async () => {
    const info = { tags: ['a'] };
    const { connect, sse } = await start({ client: () => ({ id: 'ann', info }) });
    await connect('/rooms/a');
    info.tags.push('b');
    (sse.connections()[0]!.info as typeof info).tags.push('c');
    expect(sse.connections()[0]!.info).toEqual({ tags: ['a'] });
  });

  it.each([
    ['the longest id', 'x'.repeat(1_024)],
    ['control characters and emoji', 'a\0\r\n\u2028🙂'],
    ['half a character', '\ud83d'],
    ['__proto__', '__proto__'],
  ])('have an id as it is: %s', async (_, id) => {
    const { connect, sse } = await start({ client: () => id, limits: { connectionsPerClient: 1 } });
    await connect('/rooms/a');
    expect((await connect('/rooms/a')).opened.status).toBe(429);
    expect(sse.connections({ client: id })).toMatchObject([{ client: id }]);
  });

  it.each<[string, unknown]>([
    ['no info', { id: 'ann' }],
    ['the longest info', { id: 'ann', info: 'x'.repeat(4_094) }],
    ['null', { id: 'ann', info: null }],
    [
      'an object of a class, with more',
      new (class {
        id = 'ann';
        info = 1;
        password = 'secret';
      })(),
    ],
  ])('have a client with %s', async (_, value) => {
    const { connect, sse } = await start();
    answer = value;
    expect((await connect('/answered')).opened.status).toBe(200);
    const { info } = value as { info?: unknown };
    expect(sse.connections()).toMatchObject([{ client: 'ann', info }]);
    expect(JSON.stringify(sse.connections())).not.toContain('secret');
  });

  const loop: { self?: unknown } = {};
  loop.self = loop;
  it.each<[string, unknown, RegExp]>([
    ['an empty id', '', /an id of 0 characters/],
    ['a long id', 'x'.repeat(1_025), /an id of 1025 characters/],
    ['an object without an id', { info: 1 }, /returned an object; it must return an id, a string/],
    [
      'an id that is a number',
      { id: 7 },
      /returned an object whose id is 7; it must return an id, a s/,
    ],
    ['a number', 7, /returned 7; it must return an id, a string of 1 to 1024 characters/],
    ['an empty id in an object', { id: '' }, /an id of 0 characters/],
    ['an array', ['ann'], /an array/],
    ['100 kB of info', { id: 'ann', info: 'x'.repeat(100_000) }, /an `info` of 100002 characters/],
    ['a cycle', { id: 'ann', info: loop }, /an `info` that JSON cannot express/],
    ['a BigInt', { id: 'ann', info: 1n }, /an `info` that JSON cannot express/],
    ['a function', { id: 'ann', info: () => 1 }, /an `info` that JSON cannot express/],
    [
      'an info whose toJSON() throws',
      {
        id: 'ann',
        info: {
          toJSON() {
            throw new Error('secret');
          },
        },
      },
      /an `info` that JSON cannot express/,
    ],
  ])('are refused when client answers %s, and nothing is kept', async (_, value, message) => {
    const { connect, sse, lines } = await start();
    answer = value;
    resolved = 0;
    const client = await connect('/answered');
    expect(client.opened.status).toBe(500);
    await client.closed;
    expect(resolved).toBe(0);
    expect(sse.stats()).toMatchObject({ connections: 0, opening: 0, readers: 0 });
    expect(lines.join()).toMatch(/`client` of RoomsController\.answered returned/);
    expect(lines.join()).toMatch(message);
    expect(lines.join() + client.body).not.toMatch(/secret|xxx/);
  });

  it.each<[object, RegExp]>([
    [{ limit: 0 }, /connections\(\): `limit` is 0; it must be a whole number from 1 to 1000/],
    [{ limit: 1_001 }, /`limit` is 1001/],
    [{ client: 7 }, /`client` is 7/],
    [{ client: '' }, /`client` is ""/],
    [{ channel: {} }, /`channel` is an object/],
    [{ after: 'AAAAAAAAAAAA.1' }, /`after` is .*the id of a connection of this instance/],
    [{ chanel: 'a' }, /no option `chanel`/],
  ])('are not listed with %j', async (options, message) => {
    const { sse } = await start();
    expect(() => sse.connections(options)).toThrow(message);
    expect(() => sse.connections(options)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
  });
});
