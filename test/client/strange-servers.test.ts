import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineChannel, unchecked } from '../../lib/index.js';
import { SseClient, type SseClientError } from '../../lib/client/index.js';
import { until } from '../support/until.js';
import { Told } from './client-rig.js';
import { frame, OPEN, StreamServer } from './stream-server.js';

const server = new StreamServer();
let client: SseClient;
let statuses: [string, SseClientError | undefined][];

beforeEach(async () => {
  await server.start();
  client = new SseClient(server.url);
  statuses = [];
  client.onStatus((status, error) => statuses.push([status, error]));
});
afterEach(async () => {
  client.close();
  await server.close();
});

const LAST = 'data: last\nid: 9\n\n';
const LABELS = { labelof1: 'a', labelof2: 'b' };

/** Anything that JSON can be, in place of what should be there. */
const STRANGE: unknown[] = [
  5,
  'a',
  null,
  true,
  {},
  [],
  [5, null, {}],
  { toString: 5 },
  { a: null },
];

describe('a client', () => {
  it.each(['text/event-stream', 'Text/Event-Stream', 'TEXT/EVENT-STREAM ; charset=UTF-8'])(
    'takes %j for an event stream',
    async (type) => {
      server.stream(OPEN + LAST, type);
      const told = new Told();
      client.subscribe('a', told.handlers);
      await told.has('last');
      expect(told.all).toEqual(['open', 'last']);
    },
  );

  it.each(['text/event-streaming', 'text/event-stream+json', 'application/text/event-stream', ''])(
    'takes %j for none',
    async (type) => {
      server.stream(OPEN, type);
      client.subscribe('a', () => undefined);
      await until(() => statuses.some(([status]) => status === 'waiting'));
      const [, error] = statuses.find(([status]) => status === 'waiting')!;
      expect(error).toMatchObject({ status: 200, isFinal: false });
      expect(error!.message).toContain('no event stream');
    },
  );

  it.each([201, 202, 203])('reads a stream whose status is %d', async (status) => {
    server.answer = (response) => {
      response.writeHead(status, { 'content-type': 'text/event-stream' });
      response.write(OPEN + LAST);
    };
    const told = new Told();
    client.subscribe('a', told.handlers);
    await told.has('last');
  });

  it.each(['sse:open', 'sse:channels', 'sse:denied', 'sse:end', 'sse:reset'])(
    'goes on after %s with whatever data',
    async (type) => {
      const data = [
        ...STRANGE,
        ...STRANGE.flatMap((value) => [
          { channels: value },
          { labels: value },
          { channels: ['a'], labels: { labelof1: value } },
          { reason: value },
          { channel: value },
        ]),
        'no json {',
        '',
      ];
      for (const each of data) {
        const strange = frame(type, each);
        server.stream((type === 'sse:open' ? strange : OPEN + strange) + OPEN + LAST);
        const one = new SseClient(server.url);
        const told: unknown[] = [];
        one.onStatus((status, error) => error && told.push(`${status}: ${error.message}`));
        one.subscribe('a', {
          onEvent: ({ data: text }) => told.push(text),
          onError: ({ message }) => told.push(message),
          onDenied: () => told.push('denied'),
        });
        await until(() => told.length > 0);
        one.close();
        // What names other channels, or this one, means what it says.
        const names = JSON.stringify(each).includes('"channels":[');
        if (!names && told[0] !== 'last')
          throw new Error(`${JSON.stringify(each)}: ${told.join()}`);
        expect(told.join()).not.toMatch(/TypeError|undefined|is not/);
      }
    },
  );

  it('does not take what every object has for a label', async () => {
    server.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(frame('sse:open', { channels: ['a', 'b'], labels: LABELS }));
      for (const name of ['toString', 'valueOf', '__proto__', 'constructor']) {
        response.write(`data: strange\nid: ${name}\n\n`);
        response.write(`data: strange\nid: ${name.padEnd(8, 'x')}:1\n\n`);
      }
      response.write('data: last\nid: labelof2:1\n\n');
    };
    const [a, b] = [new Told(), new Told()];
    client.subscribe('a', a.handlers);
    client.subscribe('b', b.handlers);
    await b.has('last');
    expect(a.all).toEqual(['open']);
    expect(b.all).toEqual(['open', 'last']);
  });

  it('gives events of types that it does not know to whoever reads the channel', async () => {
    const Known = defineChannel('a', { message: unchecked<string>() });
    server.stream(OPEN + frame('sse:future', { is: 'here' }, '7') + frame('other', 'text') + LAST);
    const byName: unknown[] = [];
    const [known, other]: unknown[][] = [[], []];
    client.subscribe('a', (event) => byName.push([event.type, event.data]));
    client.subscribe(Known, {
      onEvent: ({ data }) => known!.push(data),
      onOther: ({ type }) => other!.push(type),
    });
    await until(() => known!.length > 0);
    expect(byName).toEqual([
      ['sse:future', { is: 'here' }],
      ['other', 'text'],
      ['message', 'last'],
    ]);
    expect({ known, other }).toEqual({ known: ['last'], other: ['sse:future', 'other'] });
  });

  it('reads a server that opens by a frame without data, or by none', async () => {
    for (const opening of ['event: sse:open\nid: 5\n\n', 'id: 5\n\n', '']) {
      server.stream(`${opening}${LAST}`);
      const told = new Told();
      const one = client.subscribe('a', told.handlers);
      await told.has('last');
      expect(told.all).toEqual(['open', 'last']);
      one.close();
      await until(() => client.status === 'closed');
    }
  });

  it('tells a subscription that the endpoint does not bring, and reads the others', async () => {
    server.stream(
      frame('sse:open', { channels: ['a', 'b'], labels: LABELS }) +
        frame('sse:denied', { channels: ['d'] }),
    );
    const [a, b, c, d] = [new Told(), new Told(), new Told(), new Told()];
    client.subscribe('a', a.handlers);
    client.subscribe('b', b.handlers);
    client.subscribe('c', c.handlers);
    client.subscribe('d', d.handlers);
    await until(() => c.all.length > 0);
    expect(c.all).toEqual([
      expect.stringMatching(/^error:.*does not bring "c".*requestedChannels/),
    ]);
    expect(d.all).toEqual(['denied']);
    expect([a.all, b.all]).toEqual([['open'], ['open']]);
    expect(client.status).toBe('open');
    expect(server.requests).toBe(1);
  });

  it('tells each attempt that has failed while another connection is open', async () => {
    server.stream(OPEN);
    const told = new Told();
    client.subscribe('a', told.handlers);
    await told.has('open');
    const answers = [
      (response: Parameters<typeof server.answer>[0]) => void response.writeHead(503).end(),
      (response: Parameters<typeof server.answer>[0]) => void response.destroy(),
      (response: Parameters<typeof server.answer>[0]) => {
        // No room.
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end('retry: 10\nevent: sse:open\n\n');
      },
    ];
    server.answer = (response) => {
      const answer = answers.shift();
      if (answer) answer(response);
      else {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`retry: 10\n${frame('sse:open', { channels: ['a', 'b'], labels: LABELS })}`);
      }
    };
    statuses.length = 0;
    const other = new Told();
    client.subscribe('b', other.handlers);
    await other.has('open');
    expect(statuses.map(([status]) => status)).toEqual(['open', 'open', 'open']);
    const errors = statuses.map(([, error]) => error!);
    expect(errors.map(({ isFinal }) => isFinal)).toEqual([false, false, false]);
    expect(errors[0]).toMatchObject({ message: 'The answer is 503.', status: 503 });
    expect(errors[1]!.message).toContain('fetch failed');
    expect(errors[2]!.message).toBe('The stream has ended before it was open.');
    expect(told.all).toEqual(['open']);
  });

  it.each(['data: cut', 'data: cut\n', 'data: \xf0\x9f\x98', '\xf0\x9f'])(
    'tells of a stream that has ended inside an event, and returns: %j',
    async (rest) => {
      server.answer = (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const text = `retry: 1\n${OPEN}${LAST}`;
        if (server.requests > 1) response.write(text);
        else response.end(Buffer.from(text + rest, 'latin1'));
      };
      const told = new Told();
      client.subscribe('a', told.handlers);
      await until(() => server.requests === 2 && statuses.at(-1)?.[0] === 'open');
      const errors = statuses.flatMap(([, error]) => error ?? []);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toMatchObject({
        message: 'The stream has ended inside an event.',
        isFinal: false,
      });
      expect(told.all.filter((text) => String(text).includes('cut'))).toEqual([]);
    },
  );
});
