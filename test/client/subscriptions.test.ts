import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EMPTY, firstValueFrom, from, lastValueFrom, take, toArray } from 'rxjs';
import { SseClient, type SseSubscription } from '../../lib/client/index.js';
import { defineChannel, unchecked } from '../../lib/index.js';
import { until } from '../support/until.js';
import { ClientRig, Told } from './client-rig.js';

const Job = defineChannel('job:{id}', {
  progress: unchecked<{ percent: number }>(),
  log: unchecked<string>(),
});
const Board = defineChannel('board', { message: unchecked<{ text: string }>() });

const rig = new ClientRig();
let requests = 0;
beforeEach(async () => {
  requests = 0;
  await rig.start({
    // Returns are not to be spread.
    options: { drainTimeout: 0 },
    before: (_request, _response, next) => {
      requests++;
      next();
    },
  });
});
afterEach(() => rig.close());

/** A client whose channel is open. */
async function opened(
  channel = 'news',
  told = new Told(),
): Promise<{ client: SseClient; told: Told }> {
  const client = rig.client();
  client.subscribe(channel, told.handlers);
  await told.has('open');
  return { client, told };
}

/** Sends an event that ends the waiting of a test. */
const sendLast = async (told: Told, channel = 'news') => {
  await rig.app.sse.send(channel, 'last');
  await told.has('last');
};

/** Waits until so many connections bring a channel. */
const brought = (channel: string, count = 1) =>
  until(() => rig.app.sse.connections({ channel }).length === count, { what: `${channel} there` });

describe('a subscription', () => {
  it('gives an object or array as JSON makes it, and any other text as it is', async () => {
    const { told } = await opened();
    const sent = [{ a: [1] }, [2], 'text', '5', '{no json', '[DONE', '"quoted"', ''];
    for (const data of sent) await rig.app.sse.send('news', data);
    await sendLast(told);
    expect(told.all).toEqual(['open', ...sent, 'last']);
  });

  it('tells type, channel and position, at which another client begins', async () => {
    const { client } = await opened();
    const events: { position: string | undefined }[] = [];
    client.subscribe('news', (event) => events.push(event));
    await rig.app.sse.send('news', 'one', { type: 'told' });
    await rig.app.sse.send('news', { two: 2 });
    await until(() => events.length === 2);
    expect(events).toEqual([
      { type: 'told', data: 'one', channel: 'news', position: expect.any(String) },
      { type: 'message', data: { two: 2 }, channel: 'news', position: expect.any(String) },
    ]);
    const later = new Told();
    rig.client().subscribe('news', { from: events[0]!.position!, ...later.handlers });
    await until(() => later.all.length === 2);
    expect(later.all).toEqual(['open', { two: 2 }]);
  });

  it('begins with the oldest event', async () => {
    for (const data of ['1', '2']) await rig.app.sse.send('news', data);
    const told = new Told();
    const live = new Told();
    const client = rig.client();
    client.subscribe('news', { from: 'earliest', ...told.handlers });
    client.subscribe('other', live.handlers);
    await live.has('open');
    await sendLast(told);
    expect(told.all).toEqual(['open', '1', '2', 'last']);
  });

  it('refuses a beginning of its own for a channel that is subscribed', async () => {
    const { client } = await opened();
    const handlers = { from: 'earliest', onEvent: () => undefined } as const;
    expect(() => client.subscribe('news', handlers)).toThrow('"news" is subscribed already');
  });

  it('shares a channel with others, and the connection with all', async () => {
    const { client, told } = await opened();
    const [second, third] = [new Told(), new Told()];
    const leaving = client.subscribe('news', second.handlers);
    client.subscribe('other', third.handlers);
    await third.has('open');
    await rig.app.sse.send('news', 'for both');
    await second.has('for both');
    leaving.close();
    await sendLast(told);
    expect(told.all).toEqual(['open', 'for both', 'last']);
    expect(second.all).toEqual(['open', 'for both']);
    expect(requests).toBe(2);
    await rig.streams(1);
  });

  it('closes the connection when it is the last one, and opens another later', async () => {
    const told = new Told();
    const client = rig.client();
    const only = client.subscribe('news', told.handlers);
    await told.has('open');
    only.close();
    await rig.streams(0);
    expect(client.status).toBe('closed');
    client.subscribe('news', told.handlers);
    await told.has('open', 2);
    expect(client.status).toBe('open');
  });

  it('that is closed and made anew at once needs no other connection', async () => {
    const told = new Told();
    const client = rig.client();
    for (let i = 0; i < 10; i++) {
      client.subscribe('news', told.handlers).close();
    }
    client.subscribe('news', told.handlers);
    await told.has('open');
    await sendLast(told);
    expect(requests).toBe(1);
    expect(told.all).toEqual(['open', 'last']);
  });

  it('goes on when its functions throw or reject, and reports that', async () => {
    const reported: unknown[] = [];
    const { reportError } = globalThis as { reportError?: unknown };
    Object.assign(globalThis, { reportError: (error: Error) => reported.push(error.message) });
    const { client, told } = await opened();
    try {
      const bad = (what: string) => () => {
        throw new Error(what);
      };
      client.onStatus(bad('status'));
      const reading = client.subscribe('news', {
        onEvent: async () => bad('async event')(),
        onOpen: bad('open'),
      });
      reading.subscribe({ next: bad('next') });
      client.subscribe('news', bad('event'));
      await rig.app.sse.send('news', 'one');
      await told.has('one');
      rig.proxy.cut();
      await told.has('open', 2);
      await sendLast(told);
      expect(told.all).toEqual(['open', 'one', 'open', 'last']);
      for (const what of ['open', 'async event', 'next', 'event', 'status']) {
        expect(reported).toContain(what);
      }
    } finally {
      client.close();
      Object.assign(globalThis, { reportError });
    }
  });

  it.each(['subscription', 'client'] as const)(
    'brings nothing more when its %s is closed in a callback',
    async (what) => {
      await rig.app.sse.send('news', 'zero', { id: 'zero' });
      for (const data of ['1', '2', '3']) await rig.app.sse.send('news', data);
      const client = rig.client();
      const told = new Told();
      const { onEvent } = told.handlers;
      const reading: SseSubscription = client.subscribe('news', {
        ...told.handlers,
        from: 'zero',
        onEvent: (event) => {
          onEvent(event);
          (what === 'client' ? client : reading).close();
        },
      });
      const ended = reading[Symbol.asyncIterator]();
      await told.has('1');
      await rig.streams(0);
      expect(told.all).toEqual(['open', '1']);
      expect(await ended.next()).toEqual({ done: true, value: undefined });
      expect(client.status).toBe('closed');
    },
  );

  it('may subscribe and close in each callback', async () => {
    const client = rig.client();
    const inner = new Told();
    client.subscribe('news', {
      onOpen: () => void client.subscribe('other', inner.handlers),
      onEvent: () => client.close(),
    });
    await inner.has('open');
    await rig.app.sse.send('news', 'bye');
    await rig.streams(0);
    expect(() => client.subscribe('more')).toThrow('The client is closed');
  });

  it('is read by a loop, and over when the loop is left', async () => {
    const { client, told } = await opened();
    const read: unknown[] = [];
    const loop = (async () => {
      for await (const { data } of client.subscribe('loop')) {
        read.push(data);
        if (data === '3') break;
      }
    })();
    await brought('loop');
    for (const data of ['1', '2', '3', '4']) await rig.app.sse.send('loop', data);
    await loop;
    expect(read).toEqual(['1', '2', '3']);
    await brought('loop', 0);
    await sendLast(told);
  });

  it('ends a loop that is too slow with an error, behind what it has kept', async () => {
    const { client, told } = await opened();
    const slow = client.subscribe('news')[Symbol.asyncIterator]();
    for (let i = 1; i <= 1_001; i++) await rig.app.sse.send('news', `${i}`);
    await sendLast(told);
    for (let i = 1; i <= 1_000; i++) {
      expect(await slow.next()).toMatchObject({ done: false, value: { data: `${i}` } });
    }
    await expect(slow.next()).rejects.toThrow('The loop is 1000 events behind');
    expect(await slow.next()).toEqual({ done: true, value: undefined });
  });

  it('answers all who wait for the next event of a loop', async () => {
    const { client } = await opened();
    const loop = client.subscribe('news')[Symbol.asyncIterator]();
    const both = Promise.all([loop.next(), loop.next(), loop.next()]);
    await rig.app.sse.send('news', 'one');
    await until(() => true);
    await loop.return!();
    expect((await both).map(({ done }) => done)).toContain(true);
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });

  it('is an Observable for from(), which rests when nobody reads', async () => {
    const { client, told } = await opened();
    const events$ = from(client.subscribe('stream'));
    for (const round of ['1', '2']) {
      const event = firstValueFrom(events$);
      await brought('stream');
      await rig.app.sse.send('stream', round);
      expect((await event).data).toBe(round);
      await brought('stream', 0);
    }
    await sendLast(told);
  });

  it('completes an Observable at the end, and tells it resets among the events', async () => {
    const { client } = await opened();
    const all = lastValueFrom(from(client.subscribe('stream')).pipe(toArray()));
    await brought('stream');
    await rig.app.sse.send('stream', 'before');
    await rig.restart();
    await brought('stream');
    await rig.app.sse.complete('stream');
    expect((await all).map(({ type }) => type).filter((type) => type !== 'message')).toEqual([
      'sse:reset',
    ]);
    const closed = client.subscribe('more');
    closed.close();
    expect(await lastValueFrom(from(closed).pipe(take(1)), { defaultValue: EMPTY })).toBe(EMPTY);
  });

  it('of a definition fills its template, and tells apart what the definition does not name', async () => {
    const client = rig.client();
    const percents: number[] = [];
    const other: string[] = [];
    const texts: string[] = [];
    const told = new Told();
    client.subscribe(
      Job,
      { id: 'a/b' },
      {
        onEvent: (event) => {
          if (event.type === 'progress') percents.push(event.data.percent);
          else texts.push(event.data);
        },
        onOther: ({ type }) => other.push(type),
        onOpen: told.handlers.onOpen,
      },
    );
    const board: string[] = [];
    client.subscribe(Board, (event) => {
      if (event.type === 'message') board.push(event.data.text);
    });
    await told.has('open');
    await until(() => client.status === 'open');
    const name = Job.channel({ id: 'a/b' });
    await rig.app.sse.send(name, { percent: 50 }, { type: 'progress' });
    await rig.app.sse.send(name, 'a line', { type: 'log' });
    await rig.app.sse.send(name, 'new', { type: 'of-a-newer-server' });
    await rig.app.sse.send('board', { text: 'hello' });
    await until(() => board.length === 1 && other.length === 1);
    expect({ percents, texts, other, board }).toEqual({
      percents: [50],
      texts: ['a line'],
      other: ['of-a-newer-server'],
      board: ['hello'],
    });
  });

  it('takes events of 1 MiB', async () => {
    const { told } = await opened();
    const data = 'é'.repeat(524_288);
    for (let i = 0; i < 3; i++) await rig.app.sse.send('news', data);
    await until(() => told.all.length === 4);
    expect(told.all.slice(1).every((one) => one === data)).toBe(true);
  });
});
