import { Controller, Injectable, Sse, type ModuleMetadata } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  OnSseOccupied,
  OnSseVacated,
  SseChannel,
  type Broker,
  type SseConnection,
  type SseLeave,
  type SseModuleOptions,
  type SseOccupied,
  type SsePresence,
  type SseVacated,
} from '../../lib/index.js';
import { BehaviorSubject } from 'rxjs';
import type { SseTestClient } from '../../lib/testing/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { byHeader, RoomsController } from './rooms.js';

let told: string[] = [];

@Injectable()
class Occupancy {
  @OnSseOccupied('{room}')
  @OnSseVacated('{room}')
  any({ type, channel }: SseOccupied | SseVacated) {
    told.push(`${type} ${channel}`);
  }

  @OnSseOccupied('other')
  never() {
    told.push('never');
  }
}

let isValid = true;

@Controller()
class Several {
  @Sse('several')
  @SseChannel(({ query }: { query: { of: string } }) => query.of.split(','), { presence: 'events' })
  several() {}

  @Sse('checked')
  @SseChannel('a', { presence: true, revalidate: { interval: 1_000, check: () => isValid } })
  checked() {}
}

describe.each(ADAPTERS)('Presence in this process on %s', (adapter) => {
  afterEach(closeApps);

  const start = (
    options: SseModuleOptions = {},
    providers: ModuleMetadata['providers'] = [],
    controllers = [RoomsController],
  ) => {
    told = [];
    return startApp({
      adapter,
      controllers,
      providers,
      options: { client: byHeader, presenceGrace: 0, ...options },
    });
  };
  const as = (user: string, info?: unknown) => ({
    headers: {
      'x-user': encodeURIComponent(user),
      ...(info !== undefined && { 'x-info': JSON.stringify(info) }),
    },
  });

  it('lists the clients of a channel, each once, and counts all connections', async () => {
    const { connect, sse } = await start();
    expect(await sse.presence('a')).toEqual({ members: [], connections: 0 });
    const before = Date.now();
    const first = await connect('/present/a', as('ann', { name: 'Ann' }));
    await connect('/present/a', as('ann', { name: 'Anna' }));
    await connect('/present/a', as('bob'));
    await connect('/present/a');
    await connect('/present/b', as('eve'));
    await connect('/rooms/a', as('tom'));
    await until(async () => (await sse.presenceStats('a')).connections === 4);
    const { members, connections } = await sse.presence('a');
    expect(connections).toBe(4);
    expect(members).toEqual([
      { id: 'ann', info: { name: 'Anna' }, connections: 2, since: expect.any(Date) },
      { id: 'bob', info: undefined, connections: 1, since: expect.any(Date) },
    ]);
    expect(members[0]!.since.getTime()).toBeGreaterThanOrEqual(before - 5);
    expect(await sse.presenceStats('a')).toEqual({ members: 2, connections: 4 });
    await first.close();
    await until(async () => (await sse.presence('a')).members[0]!.connections === 1);
    expect((await sse.presence('a')).connections).toBe(3);
  });

  it('carries joins and leaves in the order of the channel, and resumes them', async () => {
    const { connect, sse } = await start();
    const watcher = await connect('/rooms/a');
    const ann = await connect('/announced/a', as('ann', 1));
    expect(await watcher.next()).toMatchObject({
      type: 'sse:join',
      data: '{"channel":"a","id":"ann","info":1}',
    });
    await sse.send('a', 'between');
    const again = await connect('/announced/a', as('ann', 2));
    await connect('/announced/a');
    await ann.close();
    await until(() => sse.connections({ client: 'ann' }).length === 1);
    await again.close();
    expect((await watcher.take(2)).map(({ type, data }) => `${type} ${data}`)).toEqual([
      'message between',
      'sse:leave {"channel":"a","id":"ann","info":2}',
    ]);
    const back = await connect('/rooms/a', { lastEventId: watcher.events[0]!.id });
    expect((await back.take(2)).map(({ type }) => type)).toEqual(['message', 'sse:leave']);
  });

  it('tells of a client that reads the channel by an endpoint with true alone, and then by one with events', async () => {
    const { connect, sse } = await start();
    const watcher = await connect('/rooms/a');
    const silent = await connect('/present/a', as('ann'));
    await until(async () => (await sse.presenceStats('a')).members === 1);
    const announced = await connect('/announced/a', as('ann'));
    expect((await watcher.next()).type).toBe('sse:join');
    await silent.close();
    await announced.close();
    expect((await watcher.next()).type).toBe('sse:leave');
  });

  it('takes a reload within the grace for no leave and no join', async () => {
    const { connect, sse } = await start({ presenceGrace: 60_000 });
    const watcher = await connect('/rooms/a');
    for (let i = 0; i < 3; i++) {
      const ann = await connect('/announced/a', as('ann'));
      await ann.close();
    }
    await until(() => sse.connections({ client: 'ann' }).length === 0);
    await sse.send('a', 'end');
    expect((await watcher.until(({ data }) => data === 'end')) && watcher.events).toHaveLength(2);
    expect((await sse.presence('a')).members).toMatchObject([{ id: 'ann', connections: 1 }]);
  });

  it('tells the info of the newest connection that is open', async () => {
    const { connect, sse } = await start({}, [], [RoomsController, Several as never]);
    const watcher = await connect('/rooms/a');
    const ann = async (info: number, path = '/announced/a') => connect(path, as('ann', info));
    const shows = (info: number, connections: number) =>
      until(async () => {
        const [member] = (await sse.presence('a')).members;
        return member?.info === info && member.connections === connections;
      });
    const first = [await ann(1), await ann(1)];
    const second = await ann(2, '/several?of=a,b');
    const third = await ann(3);
    await shows(3, 4);
    await second.close();
    await shows(3, 3);
    const fourth = await ann(1);
    await shows(1, 4);
    await fourth.close();
    await shows(3, 3);
    await third.close();
    await shows(1, 2);
    await first[0]!.close();
    await shows(1, 1);
    const last = await ann(5);
    await shows(5, 2);
    await first[1]!.close();
    await shows(5, 1);
    await last.close();
    const left = await watcher.until(({ type }) => type === 'sse:leave');
    expect(JSON.parse(left.data)).toEqual({ channel: 'a', id: 'ann', info: 5 });
  });

  describe('with a grace that does not end', () => {
    const graceful = () =>
      start({ presenceGrace: 60_000 }, [], [RoomsController, Several as never]);
    const leaves = ({ events }: SseTestClient) =>
      events.flatMap(({ type, data }) =>
        type === 'sse:leave' ? [(JSON.parse(data) as SseLeave).id] : [],
      );

    it('lets a client leave at once that disconnect() sends away, and nobody else', async () => {
      const { connect, sse } = await graceful();
      const watcher = await connect('/rooms/a');
      const [first] = [
        await connect('/announced/a', as('ann')),
        await connect('/several?of=a,b', as('ann')),
        await connect('/announced/a', as('bob')),
      ];
      await until(async () => (await sse.presenceStats('a')).connections === 3);
      const [{ id }] = sse.connections({ client: 'ann' }) as [SseConnection];
      await sse.disconnect({ connection: id });
      await first.closed;
      await until(async () => (await sse.presenceStats('a')).connections === 2);
      expect(leaves(watcher)).toEqual([]);
      // Another page has closed its stream just before.
      const closed = await connect('/announced/a', as('ann'));
      await closed.close();
      await until(() => sse.connections({ client: 'ann' }).length === 1);
      await sse.disconnect({ client: 'ann' });
      await watcher.until(({ type }) => type === 'sse:leave');
      expect(leaves(watcher)).toEqual(['ann']);
      expect(await sse.presenceStats('a')).toEqual({ members: 1, connections: 1 });
      expect(await sse.presenceStats('b')).toEqual({ members: 0, connections: 0 });
    });

    it('lets a client leave the channel that disconnect() names, and not its others', async () => {
      const { connect, sse } = await graceful();
      await connect('/several?of=a,b', as('ann'));
      await until(async () => (await sse.presenceStats('b')).members === 1);
      await sse.disconnect({ client: 'ann', channel: 'a' });
      await until(async () => (await sse.presenceStats('a')).members === 0);
      expect(await sse.presenceStats('b')).toEqual({ members: 1, connections: 1 });
      await sse.disconnect({ channel: 'b' });
      await until(async () => (await sse.presenceStats('b')).members === 0);
    });

    it('has a client join again that comes back, and takes its place when it does', async () => {
      const { connect, sse } = await graceful();
      const watcher = await connect('/rooms/a');
      const ann = await connect('/announced/a', as('ann'));
      await sse.disconnect({ client: 'ann' });
      await ann.closed;
      await until(async () => (await connect('/announced/a', as('ann'))).isOpen);
      await until(async () => (await sse.presenceStats('a')).members === 1);
      await sse.send('a', 'end');
      await watcher.until(({ data }) => data === 'end');
      expect(watcher.events.map(({ type }) => type)).toEqual([
        'sse:join',
        'sse:leave',
        'sse:join',
        'message',
      ]);
    });

    it('lets a client leave at once that a check refuses', async () => {
      const { connect, sse } = await graceful();
      await connect('/checked', as('ann'));
      await until(async () => (await sse.presenceStats('a')).members === 1);
      isValid = false;
      await until(async () => (await sse.presenceStats('a')).connections === 0);
      isValid = true;
    });
  });

  it('lets a client leave once the grace is over', async () => {
    const { connect, sse } = await start({ presenceGrace: 50 });
    const watcher = await connect('/rooms/a');
    const ann = await connect('/announced/a', as('ann'));
    await ann.close();
    await watcher.until(({ type }) => type === 'sse:leave');
    expect(await sse.presence('a')).toEqual({ members: [], connections: 0 });
  });

  it('tells hooks of the first and the last reader', async () => {
    const { connect } = await start({}, [Occupancy]);
    const clients = [await connect('/present/a'), await connect('/present/a', as('ann'))];
    await connect('/rooms/a');
    await until(() => told.length === 1);
    await Promise.all(clients.map((client) => client.close()));
    await until(() => told.length === 2);
    expect(told).toEqual(['occupied a', 'vacated a']);
  });

  it('is observed: the present state, and each change', async () => {
    const { connect, sse, close } = await start();
    const seen: SsePresence[] = [];
    const late: SsePresence[] = [];
    let isComplete = false;
    sse
      .presence$('a')
      .subscribe({ next: (state) => seen.push(state), complete: () => (isComplete = true) });
    await until(() => seen.length === 1);
    expect(seen[0]).toEqual({ members: [], connections: 0 });
    const ann = await connect('/present/a', as('ann'));
    await until(() => seen.at(-1)!.members[0]?.id === 'ann');
    const subscription = sse.presence$('a').subscribe((state) => late.push(state));
    expect(late).toEqual([seen.at(-1)]);
    subscription.unsubscribe();
    await ann.close();
    await until(() => seen.at(-1)!.connections === 0);
    await close();
    expect(isComplete).toBe(true);
    expect(late).toHaveLength(1);
  });

  it.each([
    ['control characters', 'a\u0000b\nc\r\u2028'],
    ['the longest id', '\u{1F600}'.repeat(512)],
    ['a lone surrogate', 'a\ud800'],
    ['a name of the prototype', '__proto__'],
    ['quotes', '"},\\"'],
  ])('takes a client with %s as its id', async (_, id) => {
    const { connect, sse } = await start({
      client: () => ({ id, info: { text: 'x'.repeat(4_000) } }),
    });
    const watcher = await connect('/rooms/a');
    const client = await connect('/announced/a');
    expect(JSON.parse((await watcher.next()).data)).toMatchObject({ channel: 'a', id });
    expect((await sse.presence('a')).members).toMatchObject([{ id, connections: 1 }]);
    expect((await sse.presence('a', { after: id })).members).toEqual([]);
    await client.close();
    expect(JSON.parse((await watcher.next()).data)).toMatchObject({ id });
  });

  it('refuses options and channels that cannot be', async () => {
    const { sse } = await start();
    for (const options of [{ limit: 0 }, { limit: 1_001 }, { after: '' }, { other: 1 }]) {
      await expect(sse.presence('a', options as never)).rejects.toMatchObject({
        code: 'INVALID_OPTION',
      });
    }
    await expect(sse.presence('')).rejects.toMatchObject({ code: 'INVALID_CHANNEL' });
    await expect(sse.presenceStats('\n')).rejects.toMatchObject({ code: 'INVALID_CHANNEL' });
    expect(() => sse.presence$('')).toThrow(expect.objectContaining({ code: 'INVALID_CHANNEL' }));
    expect(() => SseChannel('a', { presence: 'all' as never })({}, 'x', {})).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
    expect(() => SseChannel(undefined, { presence: true })({}, 'x', {})).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
    await expect(start({ presenceTimeout: 2_999 })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
  });

  it('follows the channels of a connection that change', async () => {
    const rooms$ = new BehaviorSubject<readonly string[]>(['a', 'b']);
    @Controller()
    class ChangingController {
      @Sse('changing')
      @SseChannel(() => rooms$, { presence: 'events' })
      changing() {}
    }
    const { connect, sse } = await start({}, [], [RoomsController, ChangingController as never]);
    const present = async (room: string) => (await sse.presenceStats(room)).members;
    const watchers = await Promise.all(['a', 'b', 'c'].map((room) => connect(`/rooms/${room}`)));
    const ann = await connect('/changing', as('ann'));
    await until(async () => (await present('a')) === 1 && (await present('b')) === 1);
    rooms$.next(['b', 'c']);
    await until(async () => (await present('a')) === 0 && (await present('c')) === 1);
    rooms$.next(['c']);
    await until(async () => (await present('b')) === 0);
    await ann.close();
    await until(async () => (await present('c')) === 0);
    await until(() => watchers.every(({ events }) => events.length >= 2));
    const moves = watchers.map(({ events }) => events.map(({ type }) => type).join());
    expect(moves).toEqual(Array(3).fill('sse:join,sse:leave'));
  });

  it('is refused for channels of another source, and with a broker that cannot do it', async () => {
    @Controller()
    class KeysController {
      @Sse('keys')
      @SseChannel('key', { source: 'cache', presence: true })
      key() {}
    }
    await expect(start({}, [], [KeysController as never])).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/^@SseChannel\(\) on KeysController\.key: `presence`/),
    });
    const broker: Broker = {
      open: (_channel, sink) => (sink.live(), { close: () => undefined }),
      publish: async () => '1',
    };
    await expect(start({ broker })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/`openPresence\(\)`/),
    });
    for (const store of [Promise.resolve(), { put() {} }, undefined]) {
      await expect(
        start({ broker: { ...broker, openPresence: () => store as never } }),
      ).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    }
  });

  it('withstands a store of the application that breaks its contract, also at the end', async () => {
    const broken = {
      put: () => undefined,
      list: async (): Promise<unknown> => undefined,
      count: async () => undefined,
      watch: () => () => {
        throw new Error('it fails');
      },
      close: async () => undefined,
    };
    const { sse, close } = await start({
      broker: {
        open: (_channel, sink) => (sink.live(), { close: () => undefined }),
        publish: async () => '1',
        openPresence: () => broken as never,
      },
    });
    await expect(sse.presence('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(sse.presenceStats('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    broken.list = async () => ({ members: [{ id: 'ann', info: '{secret' }], connections: 1 });
    const answer = await sse.presence('a').catch((error: Error) => error);
    expect(answer).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(/`info`/) });
    expect((answer as Error).message).not.toContain('secret');
    const { watch } = broken;
    broken.watch = () => {
      throw new Error('it fails');
    };
    const failures: unknown[] = [];
    sse.presence$('c').subscribe({ error: (error) => failures.push(error) });
    expect(failures).toMatchObject([{ code: 'UNAVAILABLE' }]);
    broken.watch = watch;
    let completed = 0;
    for (const channel of ['a', 'b']) {
      sse.presence$(channel).subscribe({ complete: () => completed++ });
    }
    await close();
    expect(completed).toBe(2);
  });
});
