import type { Type } from '@nestjs/common';
import { afterEach, expect, it } from '@jest/globals';
import type { SseModuleOptions } from '../../lib/index.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { closeApps, type Adapter } from '../support/start-app.js';
import { until } from '../support/until.js';
import { cutAfter, cutAfterFirstFrame, cutBeforeEmptyLine, RandomCuts } from './cuts.js';
import { messagesOf, type Client, type Listening } from './listening.js';
import { EXACT, NumberedEvents } from './numbered-events.js';
import { startNumbersApp, STREAMS, type NumbersApp } from './numbers-app.js';
import { EMPTY_STREAM, startStandIn, type StandIn } from './stand-in.js';

export interface ClientTestOptions {
  /** How often each stream is cut at a random byte. */
  readonly cuts: number;
  readonly adapters: readonly Adapter[];
  /** What else the application serves. */
  readonly controllers?: readonly Type[];
}

/** Declares the tests of what a client does with our streams, whatever client it is. */
export function testClient(
  client: Client,
  { cuts: cutsOfStream, adapters, controllers = [] }: ClientTestOptions,
): void {
  let app: NumbersApp;
  let proxy: TcpProxy;
  let standIn: StandIn | undefined;
  const listening: Listening[] = [];

  afterEach(async () => {
    listening.splice(0).forEach((one) => one.close());
    await proxy?.close();
    await standIn?.close();
    await closeApps();
  });

  const start = async (
    options: SseModuleOptions = {},
    adapter: Adapter = adapters[0]!,
  ): Promise<void> => {
    app = await startNumbersApp(adapter, { options, controllers });
    proxy = await startProxy(app.url);
  };

  const listen = (path: string): Listening => {
    const one = client.listen(proxy.url(app.url + path));
    listening.push(one);
    return one;
  };

  /** Opens a stream, and waits until the client knows its position. */
  const open = async (path: string): Promise<Listening> => {
    const one = listen(path);
    await until(() => one.events.some(({ type }) => type === 'sse:open'));
    return one;
  };

  const received = (one: Listening, data: string) => until(() => messagesOf(one).includes(data));

  /** Keeps the client away, while something happens. */
  const away = async (meanwhile: () => Promise<unknown>): Promise<void> => {
    proxy.refuse();
    proxy.cut();
    await until(() => app.sse.stats().connections === 0);
    await meanwhile();
    proxy.accept();
  };

  /** Waits for so long that the client would have returned if it meant to. */
  const longEnough = async (): Promise<void> => {
    await open('/several');
    for (let i = 1; i <= 3; i++) {
      proxy.cut();
      await until(() => app.statusesOf('/several').length > i);
    }
  };

  it.each(adapters)('loses and repeats nothing while its connections are cut on %s', async (on) => {
    await start({}, on);
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const cuts = new RandomCuts(seed, cutsOfStream * STREAMS.length);
    const streams = await Promise.all(STREAMS.map(open));
    proxy.cutAt(cuts.place);
    proxy.cut();
    const numbers = new NumberedEvents(app);
    await until(() => numbers.send().then(() => cuts.areDone), {
      every: 1,
      deadline: 2_000 * cutsOfStream,
      what: `${cuts.count} cuts, seed ${seed}`,
    });
    await numbers.send();
    const events = () => streams.flatMap((one) => one.events);
    await until(() => numbers.areThere(events()) || streams.some(({ hasEnded }) => hasEnded), {
      what: `the newest events, seed ${seed}`,
    });
    expect({ seed, ...numbers.tally(events()) }).toEqual({ seed, ...EXACT });
  });

  it('loses nothing when the connection is cut before its first event', async () => {
    await start();
    proxy.cutAt(cutAfterFirstFrame(() => proxy.refuse()));
    const stream = await open('/plain');
    await until(() => app.sse.stats().connections === 0);
    for (const data of ['1', '2', '3']) await app.sse.send('plain', data);
    proxy.accept();
    await received(stream, '3');
    expect(messagesOf(stream)).toEqual(['1', '2', '3']);
  });

  const keeps = client.keepsIdOfFrames;
  it(`${keeps ? 'keeps' : 'loses'} the position of an opening frame without data`, async () => {
    await start({ opening: 'frame' });
    proxy.cutAt(cutAfterFirstFrame(() => proxy.refuse()));
    const stream = listen('/plain');
    await until(() => app.statusesOf('/plain').length === 1);
    await until(() => app.sse.stats().connections === 0);
    for (const data of ['1', '2', '3']) await app.sse.send('plain', data);
    proxy.accept();
    await until(() => app.sse.stats().connections === 1);
    await app.sse.send('plain', '4');
    await received(stream, '4');
    expect(messagesOf(stream)).toEqual(keeps ? ['1', '2', '3', '4'] : ['4']);
  });

  // Only the client could mend it: it takes an event for received when the line of its id arrives.
  const lost = client.keepsIdAtItsLine ? 1 : 0;
  it(`loses ${lost} events when the connection is cut before the empty line of a frame`, async () => {
    await start();
    const stream = await open('/plain');
    proxy.cutAt(cutBeforeEmptyLine('2'));
    proxy.cut();
    await until(() => app.statusesOf('/plain').length === 2);
    for (const data of ['1', '2', '3']) await app.sse.send('plain', data);
    await received(stream, '3');
    expect(messagesOf(stream)).toEqual(lost === 0 ? ['1', '2', '3'] : ['1', '3']);
  });

  // WebKit reads on in the middle of a line; `eventsource` 1 and 2 in the middle of a frame.
  it.each(['event', 'frame'] as const)(
    'hands over no part of a frame that was cut, with opening: %j',
    async (opening) => {
      await start({ opening });
      const stream = listen('/plain');
      await until(() => app.sse.stats().connections === 1);
      await app.sse.send('plain', 'one');
      await received(stream, 'one');
      proxy.cutAt(cutAfter('data: t', 'data: two\n', 'data: two\ndata: l', 'data: lines\nid: my'));
      proxy.cut();
      await until(() => app.statusesOf('/plain').length === 2);
      await app.sse.send('plain', 'two\nlines', { id: 'my-id' });
      await until(() => app.statusesOf('/plain').length === 6);
      await app.sse.send('plain', 'three');
      await received(stream, 'three');
      expect(messagesOf(stream)).toEqual(['one', 'two\nlines', 'three']);
    },
  );

  it('stops at the end of a run', async () => {
    await start();
    const stream = await open('/plain');
    await app.sse.complete('plain');
    await until(() => stream.hasEnded);
    expect(messagesOf(stream)).toEqual(['[DONE]']);
    await longEnough();
    expect(app.statusesOf('/plain')).toEqual(client.stopsAtEnd ? [200] : [200, 204]);
  });

  it('gets a reset after a restart of the server', async () => {
    await start();
    const stream = await open('/plain');
    await app.sse.send('plain', 'before');
    await received(stream, 'before');
    await away(async () => {
      await app.close();
      app = await startNumbersApp(adapters[0]!, { controllers });
      proxy.redirect(app.url);
    });
    const reset = await until(() => stream.events.find(({ type }) => type === 'sse:reset'));
    expect(JSON.parse(reset.data)).toEqual({ channel: 'plain', reason: 'unknown-position' });
    await app.sse.send('plain', 'after');
    await received(stream, 'after');
    expect(messagesOf(stream)).toEqual(['before', 'after']);
  });

  const returns = client.returnsAfter502;
  it(`${returns ? 'goes on' : 'ends for good'} after a proxy's 502`, async () => {
    await start();
    const stream = await open('/plain');
    standIn = await startStandIn(502);
    proxy.redirect(standIn.url);
    await away(() => app.sse.send('plain', 'missed'));
    await until(() => stream.hasEnded || standIn!.answered >= 2);
    expect(stream.hasEnded).toBe(!returns);
    proxy.redirect(app.url);
    await (returns ? received(stream, 'missed') : longEnough());
    expect(app.statusesOf('/plain')).toEqual(returns ? [200, 200] : [200]);
  });

  it('goes on after an empty stream in place of the 502', async () => {
    await start();
    const stream = await open('/plain');
    standIn = await startStandIn(...EMPTY_STREAM);
    proxy.redirect(standIn.url);
    await away(() => app.sse.send('plain', 'missed'));
    await until(() => standIn!.answered >= 2);
    proxy.redirect(app.url);
    await received(stream, 'missed');
    expect(messagesOf(stream)).toEqual(['missed']);
  });

  const resumesAfter = async (id: string): Promise<void> => {
    await start();
    const stream = await open('/plain');
    await app.sse.send('plain', 'one', { id });
    await received(stream, 'one');
    await away(() => app.sse.send('plain', 'two'));
    await received(stream, 'two');
    expect(messagesOf(stream)).toEqual(['one', 'two']);
    expect(stream.events.filter(({ type }) => type === 'sse:reset')).toEqual([]);
  };

  it('resumes by an id with latin1 letters', () => resumesAfter('é'));

  if (client.withWideId === 'resumes') {
    it('resumes by an id with other letters', () => resumesAfter('☃'));
  } else if (client.withWideId === 'never returns') {
    it('never returns with an id with other letters', async () => {
      await start();
      const stream = await open('/plain');
      await app.sse.send('plain', 'one', { id: '☃' });
      await received(stream, 'one');
      await away(() => app.sse.send('plain', 'two'));
      await longEnough();
      expect(app.statusesOf('/plain')).toEqual([200]);
    });
  }
}
