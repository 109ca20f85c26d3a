import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createResumableStreamContext } from 'resumable-stream/ioredis';
import type { SseService } from '../../lib/index.js';
import type { Call } from './calls.js';

/** Begins a source under a number, by which clients read it. */
export type Begin = (n: number, source: () => AsyncGenerator<string>) => Promise<unknown>;

/** The length of a chunk. */
const SIZE = 100;

/** Texts that are the times of their making in microseconds, at even intervals from `start` on. */
async function* texts(
  { chunks, interval }: { readonly chunks: number; readonly interval: number },
  start: Promise<void>,
  now: () => number,
): AsyncGenerator<string> {
  await start;
  await sleep(Math.random() * interval);
  for (let n = 0; n < chunks; n++) {
    yield `${now()} `.padEnd(SIZE, 'x');
    await sleep(interval);
  }
}

/** Sources that begin together. */
export class Sources {
  go: () => void = () => undefined;

  constructor(
    private readonly carriers: Readonly<Partial<Record<string, Begin>>>,
    private readonly now: () => number,
  ) {}

  async begin({ count, carrier, ...pace }: Extract<Call, { do: 'begin' }>): Promise<void> {
    const start = new Promise<void>((resolve) => (this.go = resolve));
    const begin = this.carriers[carrier]!;
    await Promise.all(
      Array.from({ length: count }, (_, n) => begin(n, () => texts(pace, start, this.now))),
    );
  }
}

/** How this module carries a source: as a run, or as an event for each text. */
export function ourCarriers(sse: SseService): Partial<Record<string, Begin>> {
  return {
    run: (n, source) => sse.run(`run-${n}`, source),
    send: async (n, source) => {
      void (async () => {
        for await (const text of source()) {
          await sse.send(`run-${n}`, text);
        }
        await sse.complete(`run-${n}`);
      })();
    },
  };
}

/** The package `resumable-stream`, with the response that its documentation shows. */
export async function resumableStreams(redis: string) {
  const clients = [new Redis(redis), new Redis(redis)] as const;
  const context = createResumableStreamContext({
    waitUntil: null,
    publisher: clients[0],
    subscriber: clients[1],
  });
  const http = createServer((request, response) => {
    void (async () => {
      const stream = await context.resumeExistingStream(request.url!);
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
      for await (const frame of stream!) {
        response.write(frame);
      }
      response.end();
    })();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const begin: Begin = async (n, source) => {
    const frames = async function* () {
      for await (const text of source()) {
        yield `data: ${text}\n\n`;
      }
    };
    const stream = await context.createNewResumableStream(`/runs/${n}`, () =>
      ReadableStream.from(frames()),
    );
    // The client of the request that began it.
    void stream!.pipeTo(new WritableStream());
  };
  return {
    port: (http.address() as AddressInfo).port,
    carriers: { 'resumable-stream': begin },
    stop: async () => {
      clients.forEach((client) => client.disconnect());
      http.closeAllConnections();
      http.close();
    },
  };
}
