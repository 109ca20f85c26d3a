import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SseClient } from '../../lib/client/index.js';
import { until } from '../support/until.js';

const OPEN = 'event: sse:open\ndata: {"channels":["a"],"labels":{}}\n\n';

let answer: (response: ServerResponse) => void = () => undefined;
let requests = 0;
let client: SseClient;
const server = createServer((_request, response) => {
  requests++;
  answer(response);
});

beforeEach(async () => {
  requests = 0;
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  client = new SseClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
afterEach(async () => {
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** The waits, without those of the collecting of changes, that the client has asked the clock for. */
function waits(): { all: number[]; giveBack: () => void } {
  const real = globalThis.setTimeout;
  const all: number[] = [];
  globalThis.setTimeout = ((work: () => void, ms: number, ...rest: unknown[]) => {
    // Only the client's: those to return call a method of it.
    if (String(work).includes('this.connect()')) all.push(ms);
    return real(work, ms, ...(rest as []));
  }) as typeof setTimeout;
  return { all, giveBack: () => (globalThis.setTimeout = real) };
}

describe('how soon a client returns', () => {
  it.each([
    ['is gone', 0],
    ['opens each stream, and ends it at once', 0],
    ['opens each stream, and ends it at once', 1],
  ])('grows when a server %s, with retry: %d', async (how, retry) => {
    const { all, giveBack } = waits();
    try {
      answer = (response) => {
        if (how === 'is gone' && requests > 1) response.destroy();
        else {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.end(`retry: ${retry}\n${OPEN}`);
        }
      };
      client.subscribe('a', () => undefined);
      await until(() => all.length >= 5);
      const least = [0, 50, 100, 200, 400];
      for (const [i, ms] of least.entries()) expect(all[i]).toBeGreaterThanOrEqual(ms);
      expect(all[0]).toBeLessThanOrEqual(retry);
    } finally {
      giveBack();
    }
  });

  it('begins anew with an event', async () => {
    const { all, giveBack } = waits();
    try {
      answer = (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(`retry: 1\n${OPEN}id: ${requests}\ndata: x\n\n`);
      };
      client.subscribe('a', () => undefined);
      await until(() => all.length >= 5);
      expect(Math.max(...all)).toBeLessThanOrEqual(1);
    } finally {
      giveBack();
    }
  });

  it('is an hour at most', async () => {
    const { all, giveBack } = waits();
    try {
      answer = (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(`retry: 10000000000000000000\n${OPEN}`);
      };
      client.subscribe('a', () => undefined);
      await until(() => all.length > 0);
      expect(all[0]).toBeLessThanOrEqual(3_600_000);
      expect(all[0]).toBeGreaterThanOrEqual(1_800_000);
    } finally {
      giveBack();
    }
  });
});
