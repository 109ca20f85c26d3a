import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { interval, map, type Observable } from 'rxjs';
import {
  SseChannel,
  SseEvents,
  type SseClosed,
  type SseConnectionEvent,
  type SseEvent,
  type SseModuleOptions,
} from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { byUser, RoomsController } from './rooms.js';

/** What requests to `/slow` and `/resolved` wait for. */
const gate: (() => void)[] = [];
const wait = () => new Promise<void>((resolve) => gate.push(resolve));
const open = () => gate.splice(0).forEach((resolve) => resolve());

@Controller()
class WorkingController {
  @Sse('handled/:room')
  @SseChannel('{room}')
  handled(@SseEvents() events$: Observable<SseEvent<string>>) {
    return events$.pipe(map(({ data }) => ({ data })));
  }

  @Sse('ticking')
  @SseChannel()
  ticking() {
    return interval(1);
  }

  @Sse('slow/:room')
  @SseChannel('{room}')
  slow() {
    return wait();
  }

  @Sse('slow-several')
  @SseChannel(() => ['a', 'b'])
  slowSeveral() {
    return wait();
  }

  @Sse('resolved')
  @SseChannel(async ({ query }: { query: Record<string, string> }) => {
    await wait();
    return query['room']!;
  })
  resolved() {}
}

describe.each(ADAPTERS)('disconnect() on %s', (adapter) => {
  afterEach(closeApps);

  const start = async (options: SseModuleOptions = {}) => {
    gate.length = 0;
    const app = await startApp({
      adapter,
      options: { retry: 10, client: byUser, ...options },
      controllers: [RoomsController, WorkingController],
    });
    const closed: SseClosed[] = [];
    app.sse.connections$.subscribe((event: SseConnectionEvent) => {
      if (event.type === 'closed') closed.push(event);
    });
    const as = (user: string, path = '/rooms/a') =>
      app.connect(path, { headers: { 'x-user': user }, deadline: 60_000 });
    return { ...app, as, closed };
  };

  it.each(['/rooms/a', '/several', '/handled/a'])(
    "ends a client's streams at %s, which receive nothing after it, and nobody else's",
    async (path) => {
      const { as, sse, closed } = await start();
      const anns = [await as('ann', path), await as('ann', path), await as('ann', '/rooms/b')];
      const bob = await as('bob', path);
      await sse.send('a', 'before');
      await Promise.all([anns[0]!.next(), anns[1]!.next(), bob.next()]);
      const disconnected = sse.disconnect({ client: 'ann' }, { reason: 'logged out' });
      void sse.send('a', 'after');
      await disconnected;
      for (const ann of anns) {
        expect((await ann.closed).by).toBe('server');
        expect(ann.events.map(({ data }) => data)).not.toContain('after');
        const last = ann.events.at(-1)!;
        expect([last.type, last.data]).toEqual(['sse:end', '{"reason":"revoked"}']);
        // The client returns with the position that it had.
        expect(last.frame.id).toBeUndefined();
        expect(ann.retry).toBeGreaterThanOrEqual(1_000);
      }
      expect((await bob.next()).data).toBe('after');
      expect(bob.isOpen).toBe(true);
      await until(() => closed.length === 3);
      for (const event of closed) {
        expect(event).toMatchObject({
          reason: 'revoked',
          detail: 'logged out',
          connection: { client: 'ann' },
        });
      }
    },
  );

  it('ends a stream of a handler that emits by itself', async () => {
    const { as, sse } = await start();
    const ann = await as('ann', '/ticking');
    await ann.take(5);
    await sse.disconnect({ client: 'ann' });
    expect((await ann.closed).by).toBe('server');
    expect(sse.connections()).toEqual([]);
  });

  it('means those for which all of client, channel and connection hold', async () => {
    const { as, sse } = await start();
    const at = {
      annA: await as('ann'),
      annB: await as('ann', '/rooms/b'),
      annBoth: await as('ann', '/several'),
      bobA: await as('bob'),
    };
    const left = () =>
      Object.entries(at).flatMap(([name, client]) => (client.isOpen ? [name] : []));
    await sse.disconnect({ client: 'nobody' });
    await sse.disconnect({ client: 'bob', channel: 'b' });
    expect(left()).toHaveLength(4);
    await sse.disconnect({ client: 'ann', channel: 'b' });
    await Promise.all([at.annB.closed, at.annBoth.closed]);
    expect(left()).toEqual(['annA', 'bobA']);
    const [bobs] = sse.connections({ client: 'bob' });
    await sse.disconnect({ client: 'ann', connection: bobs!.id });
    await sse.disconnect({ connection: 'of another instance.1' });
    expect(left()).toEqual(['annA', 'bobA']);
    await sse.disconnect({ connection: bobs!.id });
    await at.bobA.closed;
    await sse.disconnect({ channel: 'a' });
    await at.annA.closed;
  });

  it('answers newcomers of a blocked client with 204, and nobody else', async () => {
    const { as, sse } = await start();
    await as('ann');
    await sse.disconnect({ client: 'ann' }, { block: 60_000 });
    // A later command does not end the block.
    await sse.disconnect({ client: 'ann' }, { block: 1 });
    for (const path of ['/rooms/a', '/several', '/handled/b', '/ticking']) {
      expect((await as('ann', path)).opened.status).toBe(204);
    }
    expect((await as('bob')).opened.status).toBe(200);
    expect(sse.stats()).toMatchObject({ connections: 1, opening: 0, readers: 1 });
  });

  it('blocks a channel, or a client in a channel', async () => {
    const { as, sse } = await start();
    await sse.disconnect({ client: 'ann', channel: 'b' }, { block: 60_000 });
    await sse.disconnect({ channel: 'c' }, { block: 60_000 });
    const status = async (user: string, path: string) => (await as(user, path)).opened.status;
    expect(await status('ann', '/rooms/a')).toBe(200);
    expect(await status('ann', '/rooms/b')).toBe(204);
    expect(await status('bob', '/several')).toBe(200);
    const several = await as('ann', '/several');
    expect(several.opened.status).toBe(200);
    expect((await several.next({ type: 'sse:denied' })).data).toBe('{"channels":["b"]}');
    await sse.send('b', 'secret');
    await sse.send('a', 'public');
    expect((await several.next()).data).toBe('public');
    expect(await status('bob', '/rooms/c')).toBe(204);
    expect(sse.stats()).toMatchObject({ connections: 3, opening: 0 });
  });

  it('lets a client in again once its block is over', async () => {
    const { as, sse } = await start();
    await sse.disconnect({ client: 'ann' }, { block: 1_500 });
    expect((await as('ann')).opened.status).toBe(204);
    await until(async () => (await as('ann')).opened.status === 200, { every: 50 });
  });

  it('sends a request away whose guards may have decided before, and lets it in later', async () => {
    const { as, sse } = await start();
    await sse.disconnect({ client: 'ann' });
    const early = await as('ann');
    expect(early.opened.status).toBe(200);
    expect((await early.closed).by).toBe('server');
    expect(early.retry).toBeGreaterThanOrEqual(1_000);
    const later = await until(async () => {
      const client = await as('ann');
      return client.opening && client;
    });
    await sse.send('a', 'later');
    expect((await later.next()).data).toBe('later');
  });

  it('reaches requests whose resolver or handler is at work, however long', async () => {
    const { as, sse } = await start();
    const reached: [string, string, object, object, number][] = [
      ['ann', '/slow/a', { client: 'ann' }, {}, 200],
      ['bob', '/slow/b', { channel: 'b' }, {}, 200],
      ['eve', '/resolved?room=c', { client: 'eve', channel: 'c' }, {}, 200],
      ['sue', '/slow/d', { client: 'sue' }, { block: 60_000 }, 204],
      ['tom', '/resolved?room=e', { client: 'tom', channel: 'e' }, { block: 60_000 }, 204],
    ];
    const connecting = reached.map(([user, path]) => as(user, path));
    await until(() => gate.length === 5);
    for (const [, , target, options] of reached) {
      await sse.disconnect(target, options);
    }
    // Beyond the time in which every request of these clients is sent away.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    open();
    for (const [nth, client] of (await Promise.all(connecting)).entries()) {
      expect([nth, client.opened.status]).toEqual([nth, reached[nth]![4]]);
      await client.closed;
      expect(client.opening).toBeUndefined();
    }
    expect(sse.stats()).toMatchObject({ connections: 0, opening: 0, readers: 0 });
  });

  it('has a request return for its other channels when one is blocked while its handler works', async () => {
    const { as, sse } = await start();
    const connecting = as('ann', '/slow-several');
    await until(() => gate.length === 1);
    await sse.disconnect({ client: 'ann', channel: 'b' }, { block: 60_000 });
    open();
    const sentAway = await connecting;
    expect([sentAway.opened.status, sentAway.opening]).toEqual([200, undefined]);
    await sentAway.closed;
    const returning = as('ann', '/slow-several');
    await until(() => gate.length === 1);
    open();
    const ann = await returning;
    expect((await ann.next()).data).toBe('{"channels":["b"]}');
    expect(sse.connections()).toMatchObject([{ channels: ['a'] }]);
  });

  it('has the channels again after the block, without what was sent meanwhile', async () => {
    const { as, sse, connect } = await start();
    const ann = await as('ann', '/several');
    await Promise.all(['a', 'b'].map((channel) => sse.send(channel, `${channel} 1`)));
    await ann.take(2);
    await sse.disconnect({ client: 'ann', channel: 'b' }, { block: 1_500 });
    await ann.closed;
    const headers = { 'x-user': 'ann' };
    await Promise.all(['a', 'b'].map((channel) => sse.send(channel, `${channel} 2`)));
    // It goes on where it was in the channel that it may read.
    const { lastEventId } = ann;
    const without = await connect('/several', { headers, lastEventId });
    expect((await without.next({ type: 'message' })).data).toBe('a 2');
    const again = await until(async () => {
      const client = await connect('/several', { headers, lastEventId: without.lastEventId });
      return sse.connections({ channel: 'b', client: 'ann' }).length > 0 && client;
    });
    await Promise.all(['a', 'b'].map((channel) => sse.send(channel, `${channel} 3`)));
    const events = await again.take(2);
    expect(events.map(({ data }) => data).sort()).toEqual(['a 3', 'b 3']);
  });

  it('does not reach a request of somebody else whose handler is at work', async () => {
    const { as, sse } = await start();
    const connecting = as('bob', '/slow/a');
    await until(() => gate.length === 1);
    await sse.disconnect({ client: 'ann' }, { block: 60_000 });
    await sse.disconnect({ client: 'bob', channel: 'b' }, { block: 60_000 });
    open();
    const bob = await connecting;
    await sse.send('a', 'hello');
    expect((await bob.next()).data).toBe('hello');
  });

  it('keeps what a client has not read from it', async () => {
    const { url, sse, closed } = await start({ retain: { events: 100_000, bytes: 1e9 } });
    const ann = (await RawClient.get(url, '/rooms/a', { 'x-user': 'ann' })).stall();
    await until(() => sse.stats().connections === 1);
    for (let i = 0; i < 10_000; i++) {
      await sse.send('a', 'x'.repeat(1_000));
      if (i % 100 === 99) await new Promise(setImmediate);
    }
    await sse.disconnect({ client: 'ann' });
    await until(() => closed.length === 1);
    expect(closed[0]).toMatchObject({ reason: 'revoked' });
    ann.read().socket.resume();
    await until(() => ann.closed);
    expect(ann.bytes).toBeLessThan(10_000_000);
  });

  it('ends hundreds of streams of a channel, and delivers nothing meanwhile', async () => {
    const { as, sse } = await start();
    const clients = await Promise.all(Array.from({ length: 300 }, (_, i) => as(`${i}`)));
    const others = await Promise.all(Array.from({ length: 10 }, (_, i) => as(`${i}`, '/rooms/b')));
    await until(() => sse.stats().connections === 310);
    const disconnected = sse.disconnect({ channel: 'a' });
    void sse.send('a', 'after');
    void sse.send('b', 'other');
    await disconnected;
    await Promise.all(clients.map(({ closed }) => closed));
    const types = clients.map(({ events }) => events.map(({ type }) => type).join());
    expect(types).toEqual(Array(300).fill('sse:end'));
    await Promise.all(others.map((other) => other.next()));
    expect(sse.stats().connections).toBe(10);
  });

  it('refuses what is no target or no option', async () => {
    const { as, sse } = await start();
    const ann = await as('ann');
    const refused: [object, object, RegExp][] = [
      [{}, {}, /neither `client` nor `channel` nor `connection` is given/],
      [{ client: undefined }, {}, /neither `client`/],
      [{ client: '' }, {}, /`client` is ""; it must be a client's id/],
      [{ client: 7 }, {}, /`client` is 7/],
      [{ client: 'x'.repeat(1_025) }, {}, /`client` is .*at most 1,024 characters/],
      [{ channel: 'x'.repeat(1_025) }, {}, /`channel` is .*at most 1,024 characters/],
      [{ clients: ['ann'] }, {}, /no option `clients`/],
      [{ client: 'ann' }, { block: -1 }, /`block` is -1/],
      [{ client: 'ann' }, { block: 86_400_001 }, /`block` is 86400001/],
      [{ client: 'ann' }, { block: '5m' }, /`block` is "5m"/],
      [{ client: 'ann' }, { reason: 'x'.repeat(1_025) }, /at most 1024 characters/],
      [{ connection: 'x.1' }, { block: 1 }, /`block` has no effect with `connection`/],
      [null as never, {}, /`options` is null/],
    ];
    for (const [target, options, message] of refused) {
      await expect(sse.disconnect(target, options)).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(message),
      });
    }
    expect(ann.isOpen).toBe(true);
  });

  it('refuses when other instances could not hear of it', async () => {
    const broker = { open: () => ({ close: () => undefined }), publish: async () => '1' };
    const { as, sse } = await start({ broker });
    const ann = await as('ann', '/ticking');
    await expect(sse.disconnect({ client: 'ann' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/revocation: true/),
    });
    expect(ann.isOpen).toBe(true);
    await expect(start({ broker, revocation: true })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/`revocation` is true, and the broker .* `openControl\(\)`/),
    });
  });
});
