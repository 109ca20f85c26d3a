import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SseClient, type SseClientError } from '../../lib/client/index.js';
import { until } from '../support/until.js';
import { Told } from './client-rig.js';
import { OPEN, StreamServer } from './stream-server.js';

const server = new StreamServer();
let client: SseClient;

beforeEach(async () => {
  await server.start();
  client = new SseClient(server.url);
});
afterEach(async () => {
  client.close();
  await server.close();
});

const TYPE = { 'content-type': 'text/event-stream' };

/** The waits, without those of the collecting of changes, that the client has asked the clock for. */
function waits(): { all: number[]; isAtOnce: boolean; giveBack: () => void } {
  const real = globalThis.setTimeout;
  const found = {
    all: [] as number[],
    /** Whether they are over at once. */
    isAtOnce: false,
    giveBack: () => void (globalThis.setTimeout = real),
  };
  globalThis.setTimeout = ((work: () => void, ms: number, ...rest: unknown[]) => {
    // Only the client's: those to return call a method of it.
    const isWait = String(work).includes('this.connect()');
    if (isWait) found.all.push(ms);
    return real(work, isWait && found.isAtOnce ? 0 : ms, ...(rest as []));
  }) as typeof setTimeout;
  return found;
}

describe('how soon a client returns', () => {
  let clock: ReturnType<typeof waits>;
  beforeEach(() => {
    clock = waits();
  });
  afterEach(() => clock.giveBack());

  it.each([
    ['is gone', 0],
    ['opens each stream, and ends it at once', 0],
    ['opens each stream, and ends it at once', 1],
  ])('grows when a server %s, with retry: %d', async (how, retry) => {
    server.answer = (response) => {
      if (how === 'is gone' && server.requests > 1) response.destroy();
      else response.writeHead(200, TYPE).end(`retry: ${retry}\n${OPEN}`);
    };
    client.subscribe('a', () => undefined);
    await until(() => clock.all.length >= 5);
    const least = [0, 50, 100, 200, 400];
    for (const [i, ms] of least.entries()) expect(clock.all[i]).toBeGreaterThanOrEqual(ms);
    expect(clock.all[0]).toBeLessThanOrEqual(retry);
  });

  it.each([502, 503, 504, 500, 429, 'a refused connection', 'a page'])(
    'grows to half a minute after %s, as long as nothing else is said',
    async (what) => {
      clock.isAtOnce = true;
      server.answer = (response) => {
        if (typeof what === 'number') response.writeHead(what).end('<h1>Sorry</h1>');
        else response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Hello</h1>');
      };
      const told = new Told();
      const errors: SseClientError[] = [];
      client.onStatus((_status, error) => error && errors.push(error));
      const returns = async () => {
        client.subscribe('a', told.handlers);
        await until(() => clock.all.length >= 8);
      };
      if (what === 'a refused connection') await server.away(returns);
      else await returns();
      const most = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
      for (const [i, ms] of most.entries()) {
        expect(clock.all[i]).toBeGreaterThanOrEqual(ms / 2);
        expect(clock.all[i]).toBeLessThanOrEqual(ms);
      }
      const isAnswer = what !== 'a refused connection';
      expect(errors.slice(0, 8)).toEqual(
        Array.from({ length: 8 }, () =>
          expect.objectContaining({
            isFinal: false,
            status: isAnswer ? expect.any(Number) : undefined,
            reason: undefined,
          }),
        ),
      );
      server.stream(OPEN);
      await told.has('open');
      expect(client.status).toBe('open');
    },
  );

  it('is no sooner than Retry-After, and an hour later at most', async () => {
    clock.isAtOnce = true;
    const answers = ['2', '999999999', '-5', '0', 'soon'];
    server.answer = (response) => {
      const after = answers.shift();
      if (after === undefined) response.writeHead(200, TYPE).write(OPEN);
      else response.writeHead(503, { 'retry-after': after }).end();
    };
    const told = new Told();
    client.subscribe('a', told.handlers);
    await told.has('open');
    const least = [2_500, 3_601_000, 2_000, 4_000, 8_000];
    const most = [3_000, 3_602_000, 4_000, 8_000, 16_000];
    for (const [i, ms] of clock.all.entries()) {
      expect(ms).toBeGreaterThanOrEqual(least[i]!);
      expect(ms).toBeLessThanOrEqual(most[i]!);
    }
    expect(clock.all).toHaveLength(5);
  });

  it('begins anew with an event', async () => {
    server.answer = (response) =>
      response.writeHead(200, TYPE).end(`retry: 1\n${OPEN}id: ${server.requests}\ndata: x\n\n`);
    client.subscribe('a', () => undefined);
    await until(() => clock.all.length >= 5);
    expect(Math.max(...clock.all)).toBeLessThanOrEqual(1);
  });

  it('is an hour at most', async () => {
    server.answer = (response) =>
      response.writeHead(200, TYPE).end(`retry: 10000000000000000000\n${OPEN}`);
    client.subscribe('a', () => undefined);
    await until(() => clock.all.length > 0);
    expect(clock.all[0]).toBeLessThanOrEqual(3_600_000);
    expect(clock.all[0]).toBeGreaterThanOrEqual(1_800_000);
  });
});

describe('a page that is online again', () => {
  const page = new EventTarget();
  const { addEventListener, removeEventListener } = globalThis as Partial<EventTarget>;
  beforeEach(() => {
    Object.assign(globalThis, {
      addEventListener: page.addEventListener.bind(page),
      removeEventListener: page.removeEventListener.bind(page),
    });
    client.close();
    client = new SseClient(server.url);
  });
  afterEach(() => {
    Object.assign(globalThis, { addEventListener, removeEventListener });
  });

  it('connects at once, however long the client was to wait', async () => {
    server.answer = (response) => response.writeHead(503, { 'retry-after': '3600' }).end();
    const told = new Told();
    client.subscribe('a', told.handlers);
    await until(() => client.status === 'waiting');
    server.stream(OPEN);
    page.dispatchEvent(new Event('online'));
    await told.has('open');
    expect(server.requests).toBe(2);
  });

  it('replaces an open connection, which may be dead, and tells nothing twice', async () => {
    server.stream(`${OPEN}id: 1\ndata: one\n\n`);
    const told = new Told();
    client.subscribe('a', told.handlers);
    await told.has('one');
    const addresses: (string | undefined)[] = [];
    server.answer = (response, { url }) => {
      addresses.push(url);
      response.writeHead(200, TYPE).write(`${OPEN}id: 2\ndata: two\n\n`);
    };
    page.dispatchEvent(new Event('online'));
    await told.has('two');
    expect(told.all).toEqual(['open', 'one', 'two']);
    expect(addresses).toEqual([expect.stringContaining('lastEventId=1')]);
  });

  it('does nothing for a client that is closed, or has nothing to read', async () => {
    page.dispatchEvent(new Event('online'));
    server.stream(OPEN);
    const told = new Told();
    const reading = client.subscribe('a', told.handlers);
    await told.has('open');
    reading.close();
    await until(() => client.status === 'closed');
    page.dispatchEvent(new Event('online'));
    client.close();
    page.dispatchEvent(new Event('online'));
    const fence = new SseClient(server.url);
    const last = new Told();
    fence.subscribe('a', last.handlers);
    await last.has('open');
    fence.close();
    expect(server.requests).toBe(2);
  });
});
