import type { Type } from '@nestjs/common';
import { afterEach, expect, it } from '@jest/globals';
import type { Adapter } from '../support/start-app.js';
import { until } from '../support/until.js';
import { cutAfter, cutAfterFirstFrame, cutBeforeEmptyLine, RandomCuts } from './cuts.js';
import { messagesOf, type Client } from './listening.js';
import { EXACT, NumberedEvents } from './numbered-events.js';
import { STREAMS } from './numbers-app.js';
import { EMPTY_STREAM } from './stand-in.js';
import { StreamRig } from './stream-rig.js';

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
  const rig = new StreamRig(client, adapters[0]!, controllers);
  afterEach(() => rig.close());

  it.each(adapters)('loses and repeats nothing while its connections are cut on %s', async (on) => {
    await rig.start({}, on);
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const cuts = new RandomCuts(seed, cutsOfStream * STREAMS.length);
    const streams = await Promise.all(STREAMS.map((path) => rig.open(path)));
    rig.proxy.cutAt(cuts.place);
    rig.proxy.cut();
    const numbers = new NumberedEvents(rig.app);
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

  /** Cuts the connection right after the first frame. */
  const cutAfterOpening = async () => {
    if (!client.tellsOfOpening) {
      rig.proxy.cutAt(cutAfterFirstFrame(() => rig.proxy.refuse()));
      return rig.listen('/plain');
    }
    const stream = await rig.open('/plain');
    rig.proxy.refuse();
    rig.proxy.cut();
    return stream;
  };

  it('loses nothing when the connection is cut before its first event', async () => {
    await rig.start();
    const stream = await cutAfterOpening();
    await until(() => stream.events.some(({ type }) => type === 'sse:open'));
    await until(() => rig.app.sse.stats().connections === 0);
    for (const data of ['1', '2', '3']) await rig.app.sse.send('plain', data);
    rig.proxy.accept();
    await rig.received(stream, '3');
    expect(messagesOf(stream)).toEqual(['1', '2', '3']);
  });

  const keeps = client.keepsIdOfFrames;
  it(`${keeps ? 'keeps' : 'loses'} the position of an opening frame without data`, async () => {
    await rig.start({ opening: 'frame' });
    const stream = await cutAfterOpening();
    await until(() => rig.app.statusesOf('/plain').length === 1);
    await until(() => rig.app.sse.stats().connections === 0);
    for (const data of ['1', '2', '3']) await rig.app.sse.send('plain', data);
    rig.proxy.accept();
    await until(() => rig.app.sse.stats().connections === 1);
    await rig.app.sse.send('plain', '4');
    await rig.received(stream, '4');
    expect(messagesOf(stream)).toEqual(keeps ? ['1', '2', '3', '4'] : ['4']);
  });

  // Only the client could mend it: it takes an event for received when the line of its id arrives.
  const lost = client.keepsIdAtItsLine ? 1 : 0;
  it(`loses ${lost} events when the connection is cut before the empty line of a frame`, async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    rig.proxy.cutAt(cutBeforeEmptyLine('2'));
    rig.proxy.cut();
    await until(() => rig.app.statusesOf('/plain').length === 2);
    for (const data of ['1', '2', '3']) await rig.app.sse.send('plain', data);
    await rig.received(stream, '3');
    expect(messagesOf(stream)).toEqual(lost === 0 ? ['1', '2', '3'] : ['1', '3']);
  });

  // WebKit reads on in the middle of a line; `eventsource` 1 and 2 in the middle of a frame.
  it.each(['event', 'frame'] as const)(
    'hands over no part of a frame that was cut, with opening: %j',
    async (opening) => {
      await rig.start({ opening });
      const stream = rig.listen('/plain');
      await until(() => rig.app.sse.stats().connections === 1);
      await rig.app.sse.send('plain', 'one');
      await rig.received(stream, 'one');
      rig.proxy.cutAt(
        cutAfter('data: t', 'data: two\n', 'data: two\ndata: l', 'data: lines\nid: my'),
      );
      rig.proxy.cut();
      await until(() => rig.app.statusesOf('/plain').length === 2);
      await rig.app.sse.send('plain', 'two\nlines', { id: 'my-id' });
      await until(() => rig.app.statusesOf('/plain').length === 6);
      await rig.app.sse.send('plain', 'three');
      await rig.received(stream, 'three');
      expect(messagesOf(stream)).toEqual(['one', 'two\nlines', 'three']);
    },
  );

  it(`${client.ignoresEnd ? 'goes on' : 'stops'} at the end of a run`, async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    await rig.app.sse.complete('plain');
    await rig.received(stream, '[DONE]');
    const statuses = () => rig.app.statusesOf('/plain');
    await until(() => (client.ignoresEnd ? statuses().length > 2 : stream.hasEnded));
    expect(messagesOf(stream)).toEqual(['[DONE]']);
    if (client.ignoresEnd) return expect(statuses().slice(0, 3)).toEqual([200, 204, 204]);
    await rig.longEnough();
    expect(statuses()).toEqual(client.stopsAtEnd ? [200] : [200, 204]);
  });

  it('gets a reset after a restart of the server', async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    await rig.app.sse.send('plain', 'before');
    await rig.received(stream, 'before');
    await rig.restart();
    const reset = await until(() => stream.events.find(({ type }) => type === 'sse:reset'));
    expect(JSON.parse(reset.data)).toEqual({ channel: 'plain', reason: 'unknown-position' });
    await rig.app.sse.send('plain', 'after');
    await rig.received(stream, 'after');
    expect(messagesOf(stream)).toEqual(['before', 'after']);
  });

  const returns = client.returnsAfter502;
  it(`${returns ? 'goes on' : 'ends for good'} after a proxy's 502`, async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    const standIn = await rig.replaced('missed', 502);
    await until(() => stream.hasEnded || standIn.answered >= 2);
    expect(stream.hasEnded).toBe(!returns);
    rig.proxy.redirect(rig.app.url);
    await (returns ? rig.received(stream, 'missed') : rig.longEnough());
    expect(rig.app.statusesOf('/plain')).toEqual(returns ? [200, 200] : [200]);
    if (!returns) return;
    // A position that is in the address by now is older than that in the header.
    await rig.away(() => rig.app.sse.send('plain', 'missed again'));
    await rig.received(stream, 'missed again');
    expect(messagesOf(stream)).toEqual(['missed', 'missed again']);
  });

  it('goes on after an empty stream in place of the 502', async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    const standIn = await rig.replaced('missed', ...EMPTY_STREAM);
    await until(() => standIn.answered >= 2);
    rig.proxy.redirect(rig.app.url);
    await rig.received(stream, 'missed');
    expect(messagesOf(stream)).toEqual(['missed']);
  });

  const resumesAfter = async (id: string): Promise<void> => {
    await rig.start();
    const stream = await rig.open('/plain');
    await rig.app.sse.send('plain', 'one', { id });
    await rig.received(stream, 'one');
    await rig.away(() => rig.app.sse.send('plain', 'two'));
    await rig.received(stream, 'two');
    expect(messagesOf(stream)).toEqual(['one', 'two']);
    expect(stream.events.filter(({ type }) => type === 'sse:reset')).toEqual([]);
  };

  it('resumes by an id with latin1 letters', () => resumesAfter('é'));

  if (client.withWideId === 'resumes') {
    it('resumes by an id with other letters', () => resumesAfter('☃'));
  } else if (client.withWideId === 'never returns') {
    it('never returns with an id with other letters', async () => {
      await rig.start();
      const stream = await rig.open('/plain');
      await rig.app.sse.send('plain', 'one', { id: '☃' });
      await rig.received(stream, 'one');
      await rig.away(() => rig.app.sse.send('plain', 'two'));
      await rig.longEnough();
      expect(rig.app.statusesOf('/plain')).toEqual([200]);
    });
  }
}
