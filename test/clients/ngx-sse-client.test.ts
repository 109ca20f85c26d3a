import type { IncomingMessage, Server } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import { cutAfter, cutAfterFirstFrame, cutBeforeEmptyLine } from './cuts.js';
import { messagesOf } from './listening.js';
import { ngxSseClient } from './ngx-sse-client.js';
import { EMPTY_STREAM } from './stand-in.js';
import { StreamRig } from './stream-rig.js';

// What the tests of client-tests.ts show of other clients. It never tells the server its position.
describe('ngx-sse-client', () => {
  const rig = new StreamRig({ listen: ngxSseClient }, 'express');
  afterEach(() => rig.close());

  /** Waits until it has returned. */
  const isBack = () => until(() => rig.app.sse.stats().connections === 1);

  it('loses what it misses while its connection is broken', async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    await rig.app.sse.send('plain', '1');
    await rig.received(stream, '1');
    await rig.away(() => rig.app.sse.send('plain', '2'));
    await isBack();
    await rig.app.sse.send('plain', '3');
    await rig.received(stream, '3');
    expect(messagesOf(stream)).toEqual(['1', '3']);
  });

  it.each(['event', 'frame'] as const)(
    'loses what it misses before its first event, with opening: %j',
    async (opening) => {
      await rig.start({ opening });
      rig.proxy.cutAt(cutAfterFirstFrame(() => rig.proxy.refuse()));
      const stream = rig.listen('/plain');
      await until(() => rig.app.statusesOf('/plain').length === 1);
      await until(() => rig.app.sse.stats().connections === 0);
      await rig.app.sse.send('plain', '1');
      rig.proxy.accept();
      await isBack();
      await rig.app.sse.send('plain', '2');
      await rig.received(stream, '2');
      expect(messagesOf(stream)).toEqual(['2']);
    },
  );

  it('loses an event when the connection is cut before the empty line of its frame', async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    rig.proxy.cutAt(cutBeforeEmptyLine('1'));
    rig.proxy.cut();
    await until(() => rig.app.statusesOf('/plain').length === 2);
    await rig.app.sse.send('plain', '1');
    await until(() => rig.app.statusesOf('/plain').length === 3);
    await isBack();
    await rig.app.sse.send('plain', '2');
    await rig.received(stream, '2');
    expect(messagesOf(stream)).toEqual(['2']);
  });

  it.each(['event', 'frame'] as const)(
    'takes the part of a frame that was cut for the begin of the next, with opening: %j',
    async (opening) => {
      await rig.start({ opening });
      const stream = rig.listen('/plain');
      await isBack();
      rig.proxy.cutAt(cutAfter('data: part'));
      rig.proxy.cut();
      await until(() => rig.app.statusesOf('/plain').length === 2);
      await rig.app.sse.send('plain', 'part of it');
      await until(() => rig.app.statusesOf('/plain').length === 3);
      await isBack();
      await rig.app.sse.send('plain', 'next');
      await rig.received(stream, 'next');
      const parts = stream.events.filter(({ data }) => data.startsWith('part'));
      expect(parts.map((event) => event.type)).toEqual(['sse:open']);
    },
  );

  it('does not ask for an event stream by itself', async () => {
    await rig.start();
    const accepts: (string | undefined)[] = [];
    const server = rig.app.app.getHttpServer() as Server;
    server.on('request', ({ headers }: IncomingMessage) => accepts.push(headers.accept));
    await rig.open('/plain');
    expect(accepts).toEqual(['application/json, text/plain, */*']);
  });

  it('drops the line feeds of an event', async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    await rig.app.sse.send('plain', 'two\nlines');
    await rig.received(stream, 'twolines');
  });

  it('goes on at the end of a run, with the next run of the channel', async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    await rig.app.sse.complete('plain');
    await rig.received(stream, '[DONE]');
    await until(() => rig.app.statusesOf('/plain').length === 2);
    await isBack();
    await rig.app.sse.send('plain', 'next');
    await rig.received(stream, 'next');
    expect(messagesOf(stream)).toEqual(['[DONE]', 'next']);
    expect(rig.app.statusesOf('/plain')).toEqual([200, 200]);
  });

  it.each(['é', '☃'])('never resumes by an own id: %j', async (id) => {
    await rig.start();
    const positions: unknown[] = [];
    const server = rig.app.app.getHttpServer() as Server;
    server.on('request', ({ headers, url }: IncomingMessage) =>
      positions.push([headers['last-event-id'], url]),
    );
    const stream = await rig.open('/plain');
    await rig.app.sse.send('plain', 'one', { id });
    await rig.received(stream, 'one');
    await rig.away(() => rig.app.sse.send('plain', 'missed'));
    await isBack();
    await rig.app.sse.send('plain', 'three');
    await rig.received(stream, 'three');
    expect(messagesOf(stream)).toEqual(['one', 'three']);
    expect(positions.length).toBeGreaterThanOrEqual(2);
    expect(new Set(positions.map((each) => JSON.stringify(each)))).toEqual(
      new Set(['[null,"/plain"]']),
    );
  });

  it('gets no reset after a restart of the server', async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    await rig.app.sse.send('plain', 'before');
    await rig.received(stream, 'before');
    await rig.restart();
    await isBack();
    await rig.app.sse.send('plain', 'after');
    await rig.received(stream, 'after');
    expect(stream.events.map(({ type }) => type)).toEqual([
      'sse:open',
      'message',
      'sse:open',
      'message',
    ]);
  });

  it("ends for good after a proxy's 502", async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    await rig.replaced('missed', 502);
    await until(() => stream.hasEnded);
    rig.proxy.redirect(rig.app.url);
    await rig.longEnough();
    expect(rig.app.statusesOf('/plain')).toEqual([200]);
  });

  it('loses what it misses while an empty stream is in place of the 502', async () => {
    await rig.start();
    const stream = await rig.open('/plain');
    const standIn = await rig.replaced('missed', ...EMPTY_STREAM);
    await until(() => standIn.answered >= 2);
    rig.proxy.redirect(rig.app.url);
    await isBack();
    await rig.app.sse.send('plain', 'after');
    await rig.received(stream, 'after');
    expect(messagesOf(stream)).toEqual(['after']);
  });
});
