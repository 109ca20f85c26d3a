import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseClient, SseClientError } from '../../lib/client/index.js';
import { requestedChannels, SseChannel } from '../../lib/index.js';
import { freePort } from '../support/free-port.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { KeptEvents } from './kept-events.js';
import { PROXY_KINDS, type ProxyKind } from './proxy-kinds.js';
import { startProxyServer, type RunningProxy } from './proxy-server.js';

const RESTARTS = 3;
const TOKENS = 5;
/** How long a token is valid, in milliseconds. */
const VALID_MS = 300;

/** Proxies as they are without the remedy of docs/proxies.md, and what they answer with no application behind them. */
const BARE: readonly { name: string; line: string; instead: string; status: number }[] = [
  { name: 'nginx', line: 'error_page 502 504 = @away;', instead: '', status: 502 },
  { name: 'HAProxy', line: 'retries 30', instead: 'retries 0', status: 503 },
];

let app: TestApp;
let proxy: RunningProxy | undefined;
let client: SseClient | undefined;

afterEach(async () => {
  client?.close();
  await proxy?.stop();
  proxy = undefined;
  await closeApps();
});

interface TokenRequest {
  readonly headers: Record<string, string | undefined>;
}

async function startOn(
  port: number,
  source: KeptEvents,
  expires: (request: TokenRequest) => number | undefined = () => undefined,
): Promise<void> {
  @Controller()
  class StreamController {
    @Sse('stream', { method: RequestMethod.ALL })
    @SseChannel(requestedChannels(), { source, authorize: () => true, expires })
    stream() {}
  }
  app = await startApp({
    controllers: [StreamController],
    port,
    options: { heartbeat: 400, retry: 50, drainTimeout: 50 },
  });
}

/** What a client reads of a channel to which the numbers from 1 on are sent. */
class Numbers {
  readonly received: string[] = [];
  readonly statuses: (number | undefined)[] = [];
  closed = 0;
  resets = 0;
  sent = 0;

  constructor(private readonly kept: KeptEvents) {}

  read(from: SseClient): void {
    from.onStatus((status, error) => {
      if (error) this.statuses.push((error as SseClientError).status);
      if (status === 'closed') this.closed++;
    });
    from.subscribe('numbers', {
      onEvent: ({ data }) => this.received.push(String(data)),
      onReset: () => this.resets++,
    });
  }

  send(count: number): void {
    for (let n = 0; n < count; n++) this.kept.append('numbers', String(++this.sent));
  }

  /** Waits for the last number, and tells whether each came once. */
  async faults(): Promise<object> {
    await until(() => this.received.includes(String(this.sent)), { what: `number ${this.sent}` });
    const all = Array.from({ length: this.sent }, (_, n) => String(n + 1));
    const lost = all.filter((n) => !this.received.includes(n)).length;
    const twice = this.received.length - new Set(this.received).size;
    const isInOrder = this.received.join() === all.join();
    return { lost, twice, isInOrder, resets: this.resets, closed: this.closed };
  }
}

const NONE = { lost: 0, twice: 0, isInOrder: true, resets: 0, closed: 0 };

const kindOf = (name: string): ProxyKind | undefined =>
  PROXY_KINDS.find((kind) => kind.name === name);

describe.each(BARE.filter(({ name }) => kindOf(name)))(
  'SseClient through $name without a remedy',
  ({ name, line, instead, status }) => {
    it(`loses and repeats nothing when ${status} is the answer during restarts`, async () => {
      const port = await freePort();
      const kept = new KeptEvents();
      await startOn(port, kept);
      proxy = await startProxyServer(kindOf(name)!, port, {
        change: (block) => {
          expect(block).toContain(line);
          return block.replace(line, instead);
        },
      });
      const numbers = new Numbers(kept);
      client = new SseClient(`${proxy.url}/stream`);
      numbers.read(client);
      await until(() => client!.status === 'open');
      for (let restart = 0; restart < RESTARTS; restart++) {
        numbers.send(5);
        const { length } = numbers.statuses;
        await app.close();
        numbers.send(5);
        await until(() => numbers.statuses.slice(length).includes(status), {
          what: `an answer of ${status}`,
        });
        await startOn(port, kept);
        await until(() => client!.status === 'open');
      }
      numbers.send(5);
      expect(await numbers.faults()).toEqual(NONE);
      expect(numbers.sent).toBe((2 * RESTARTS + 1) * 5);
    });
  },
);

describe.each(PROXY_KINDS)('SseClient through $name as documented', (kind) => {
  it('loses and repeats nothing when its token expires, and is asked for anew', async () => {
    const port = await freePort();
    const kept = new KeptEvents();
    /** From when it is valid no more: some time after its first use, however busy the machine is. */
    const ends = new Map<string, number>();
    const refused = new Set<string>();
    await startOn(port, kept, ({ headers }) => {
      const token = headers['authorization']!;
      const now = Date.now();
      const end = ends.get(token) ?? now + VALID_MS;
      ends.set(token, end);
      if (end <= now) refused.add(token);
      return end;
    });
    proxy = await startProxyServer(kind, port);
    const numbers = new Numbers(kept);
    client = new SseClient(`${proxy.url}/stream`, {
      // A token is kept until the server refuses it.
      token: () => String(refused.size),
    });
    numbers.read(client);
    await until(() => client!.status === 'open');
    await until(
      () => {
        numbers.send(1);
        return refused.size >= TOKENS;
      },
      { what: `${TOKENS} tokens refused` },
    );
    numbers.send(1);
    expect(await numbers.faults()).toEqual(NONE);
  });
});
