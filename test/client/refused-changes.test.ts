import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { SseClient } from '../../lib/client/index.js';
import { until } from '../support/until.js';
import { Told } from './client-rig.js';
import { frame, StreamServer } from './stream-server.js';

const server = new StreamServer();
let client: SseClient;
/** The statuses of the next answers; behind them a stream of what the request asks for. */
let refusals: number[];
/** What the client was told of answers. */
let errors: string[];
/** The stream that was opened last. */
let stream: ServerResponse;

beforeEach(async () => {
  await server.start();
  refusals = [];
  errors = [];
  server.answer = (response, request) => {
    const refusal = refusals.shift();
    if (refusal) {
      response.writeHead(refusal).end();
      return;
    }
    const channels = new URL(request.url!, server.url).searchParams.getAll('channel');
    const labels = Object.fromEntries(channels.map((name) => [labelOf(name), name]));
    const id = channels.map((name) => `${labelOf(name)}:0`).join();
    stream = response;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(frame('sse:open', { channels, labels }, id));
  };
  client = new SseClient(server.url);
  client.onStatus((status, error) => error && errors.push(`${status}: ${error.message}`));
});
afterEach(async () => {
  client.close();
  await server.close();
});

const labelOf = (name: string): string => name.padEnd(8, '-');
const event = (name: string, data: string, position: number): string =>
  `data: ${data}\nid: ${labelOf(name)}:${position}\n\n`;

/** Two open channels. */
async function open(): Promise<Record<'a' | 'b', { told: Told; close(): void }>> {
  const [a, b] = [new Told(), new Told()];
  const both = [client.subscribe('a', a.handlers), client.subscribe('b', b.handlers)] as const;
  await Promise.all([a.has('open'), b.has('open')]);
  errors = [];
  return {
    a: { told: a, close: () => both[0].close() },
    b: { told: b, close: () => both[1].close() },
  };
}

/** Waits until the server was asked so often, and a whole event later, which a loop would use. */
async function asked(requests: number, told: Told): Promise<void> {
  await until(() => server.requests >= requests && errors.length > 0);
  for (const data of ['1', '2', '3']) {
    stream.write(event('b', 'nobody wants it', +data) + event('a', data, +data));
    await told.has(data);
  }
  expect(server.requests).toBe(requests);
}

describe.each([[[400]], [[404]], [[401, 401]]])('a change that %j refuses', (answers) => {
  const message = `The answer is ${answers[0]}.`;

  it('is not asked for again when a channel was left, and the others go on', async () => {
    const { a, b } = await open();
    // A client that asked again at once would be refused a thousand times in the time of the test.
    refusals = [...answers, ...Array.from({ length: 1_000 }, () => answers[0]!)];
    b.close();
    await asked(1 + answers.length, a.told);
    expect(errors).toEqual([`open: ${message}`]);
    expect(a.told.all).toEqual(['open', '1', '2', '3']);
    expect(b.told.all).toEqual(['open']);
    // With the next change that is allowed, the stream brings no more than is wanted.
    refusals = [];
    const c = new Told();
    client.subscribe('c', c.handlers);
    await c.has('open');
    stream.write(event('a', '4', 4) + event('c', '1', 1));
    await c.has('1');
    expect(a.told.all).toEqual(['open', '1', '2', '3', '4']);
    expect(server.requests).toBe(2 + answers.length);
  });

  it('ends what is new, once, also when another channel was left', async () => {
    const { a, b } = await open();
    refusals = [...answers, ...Array.from({ length: 1_000 }, () => answers[0]!)];
    const c = new Told();
    b.close();
    client.subscribe('c', c.handlers);
    await asked(1 + answers.length, a.told);
    expect(c.all).toEqual([`error:${message}`]);
  });

  it('ends a channel that is wanted from another place', async () => {
    const { a, b } = await open();
    refusals = Array.from({ length: 1_000 }, () => answers[0]!);
    const again = new Told();
    b.close();
    client.subscribe('b', { ...again.handlers, from: 'earliest' });
    await again.has(`error:${message}`);
    const { requests } = server;
    await asked(requests, a.told);
    expect(again.all).toEqual([`error:${message}`]);
    expect(b.told.all).toEqual(['open']);
  });
});
