import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SseClient } from '../../lib/client/index.js';
import { defineChannel, unchecked } from '../../lib/index.js';
import { until } from '../support/until.js';
import { frame, OPEN, StreamServer } from './stream-server.js';

const A = defineChannel('a', { message: unchecked<string>() });

const STREAM =
  `${OPEN}id: 1\ndata: one\n\n` +
  frame('sse:reset', { channel: 'a', reason: 'trimmed' }) +
  frame('other', 'x');

/** What ends a subscription, by the handler that is told so. */
const ENDS: Record<string, string> = {
  onEnd: 'id: 2\ndata: [DONE]\n\n',
  onDenied: frame('sse:denied', { channels: ['a'] }),
};

const HANDLERS = ['onOpen', 'onEvent', 'onReset', 'onOther', 'onEnd', 'onDenied', 'onError'];

/** What a handler does that cannot do its work. */
const FAULTS: Record<string, (what: string) => unknown> = {
  throws: (what) => {
    throw new Error(what);
  },
  rejects: (what) => Promise.reject(new Error(what)),
  'gives a thenable that rejects': (what) => ({
    // oxlint-disable-next-line unicorn/no-thenable -- Query builders are such.
    then: (_: unknown, reject: (error: Error) => void) => reject(new Error(what)),
  }),
};

const server = new StreamServer();
const globals = globalThis as { reportError?: unknown };
const { reportError } = globals;
const consoleError = console.error;
let reported: string[];
let printed: unknown[];
let client: SseClient;

beforeEach(async () => {
  await server.start();
  reported = [];
  printed = [];
  console.error = (...args: unknown[]) => void printed.push(...args);
  client = new SseClient(server.url);
});
afterEach(async () => {
  client.close();
  await server.close();
  globals.reportError = reportError;
  console.error = consoleError;
});

const report = (error: unknown) => reported.push((error as Error).message);

/** Ends the subscription by what calls this handler. */
function answerWith(handler: string): void {
  if (handler === 'onError') server.answer = (response) => response.writeHead(404).end();
  else server.stream(STREAM + (ENDS[handler] ?? ENDS['onEnd']));
}

describe.each(Object.keys(FAULTS))('a function of the page that %s', (how) => {
  const fault = FAULTS[how]!;

  describe.each(HANDLERS)('as %s', (name) => {
    it('is reported once, and disturbs neither the others nor the client', async () => {
      globals.reportError = report;
      answerWith(name);
      const told: string[] = [];
      const all = (also: (one: string) => unknown): object =>
        Object.fromEntries(HANDLERS.map((one) => [one, () => also(one)]));
      client.subscribe(
        A,
        all((one) => (one === name ? fault(one) : undefined)),
      );
      client.subscribe(
        A,
        all((one) => told.push(one)),
      );
      await until(() => told.some((one) => ['onEnd', 'onDenied', 'onError'].includes(one)));
      await until(() => reported.length > 0);
      expect(told).toContain(name);
      expect(reported).toEqual([name]);
      expect(printed).toEqual([]);
      await until(() => client.status === 'closed');
    });
  });

  it.each(['next', 'complete', 'error'])('as %s of an observer is reported', async (name) => {
    globals.reportError = report;
    answerWith(name === 'error' ? 'onError' : 'onEnd');
    const reading = client.subscribe('a');
    reading.subscribe({ [name]: () => fault(name) });
    const ended = new Promise<void>((resolve) => {
      reading.subscribe({ complete: () => resolve(), error: () => resolve() });
    });
    await ended;
    await until(() => reported.length > 0);
    expect(new Set(reported)).toEqual(new Set([name]));
  });

  it('as a listener of the status is reported', async () => {
    globals.reportError = report;
    answerWith('onEnd');
    client.onStatus((status) => fault(status));
    const statuses: string[] = [];
    client.onStatus((status) => statuses.push(status));
    client.subscribe('a', () => undefined);
    await until(() => statuses.includes('closed') && reported.length >= statuses.length);
    expect(reported).toEqual(statuses);
  });

  it('is told to the console where there is no reportError()', async () => {
    Reflect.deleteProperty(globals, 'reportError');
    answerWith('onEnd');
    client.subscribe('a', { onOpen: () => fault('onOpen') });
    await until(() => printed.length > 0);
    expect(printed).toEqual([new Error('onOpen')]);
  });
});

// oxlint-disable-next-line unicorn/no-thenable -- It is none, but looks like one.
it.each([null, 0, 5, '', 'text', {}, { then: 5 }, Promise.resolve(1), [1]])(
  'takes %j for nothing when a function of the page returns it',
  async (value) => {
    globals.reportError = report;
    answerWith('onEnd');
    const ended = new Promise<void>((resolve) => {
      client.subscribe('a', { onEvent: () => value, onOpen: () => value, onEnd: resolve });
    });
    await ended;
    expect(reported).toEqual([]);
  },
);
