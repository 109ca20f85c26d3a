import 'reflect-metadata';
import { Controller, Module, Sse, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Agent, get } from 'node:http';
import { parseArgs } from 'node:util';
import { SseChannel, SseModule, SseService, type SseModuleOptions } from '../../lib/index.js';
import { startRedis } from '../../test/support/redis.js';

/**
 * What a request costs in CPU, by the `Last-Event-ID` it sends, as a multiple of one without:
 *
 *   npm run bench:requests -- [--requests 400] [--rounds 5]
 *
 * No id here is owed events. The client is in the same process, so that its share is in all
 * figures; the multiples of the server alone are higher, by at most twice the part above 1.
 */

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '400' },
    rounds: { type: 'string', default: '5' },
  },
});
const REQUESTS = Number(values.requests);
const ROUNDS = Number(values.rounds);
/** No id that is longer is looked at (`limits.lastEventIdLength`). */
const LONGEST = 8_000;

class NewsController {
  news(): void {}
  both(): void {}
}
function endpoint(name: 'news' | 'both', channels: string | (() => string[])): void {
  const { prototype } = NewsController;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!;
  SseChannel(channels)(prototype, name, descriptor);
  Sse(name)(prototype, name, descriptor);
  Object.defineProperty(prototype, name, descriptor);
}
endpoint('news', 'news');
endpoint('both', () => ['news', 'more']);
Controller()(NewsController);

/** As many labels as fit, none of a channel that there is. */
const labels = (n: number): string =>
  Array.from({ length: LONGEST / 12 }, (_, k) => `${n + k}`.padStart(8, 'x') + ':1').join(',');

function kindsOf(
  earlier: string,
  opened: string,
): Record<string, (n: number) => string | undefined> {
  return {
    'none at all': () => undefined,
    'its place': () => opened,
    'an own id that nobody knows': (n) => `order-${n}-${'x'.repeat(40)}`,
    'the longest own id': (n) => `${n}`.padEnd(1_000, 'x'),
    nonsense: (n) => `${n}%~.,:;&=?/\\"'{}[]é`.padEnd(200, '~:,'),
    'too long': (n) => `${n}`.padEnd(9_000, 'x'),
    'a position far back': () => earlier,
    'a position that never was': (n) => earlier.replace(/\d/g, `${n % 10}`),
    'hundreds of labels': labels,
    'thousands of commas': (n) => `${n}`.padEnd(LONGEST, ','),
    'its place and hundreds of labels': (n) => `${opened},${labels(n)}`,
  };
}

const agent = new Agent({ keepAlive: false });

/** Asks for a stream, and leaves it after its first frame, whose id is returned. */
function ask(url: string, id: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = id === undefined ? {} : { 'last-event-id': Buffer.from(id).toString('latin1') };
    const request = get(url, { agent, headers }, (response) => {
      response.once('data', (chunk: Buffer) => {
        request.destroy();
        resolve(/^id: (.*)$/m.exec(chunk.toString())?.[1] ?? '');
      });
      response.on('error', () => undefined);
    });
    request.on('error', reject);
  });
}

async function cpuOf(url: string, id: (n: number) => string | undefined): Promise<number> {
  const before = process.cpuUsage();
  for (let n = 0; n < REQUESTS; n += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, k) => ask(url, id(n + k))));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / REQUESTS;
}

async function measure(name: string, options: SseModuleOptions): Promise<void> {
  class AppModule {}
  Module({ imports: [SseModule.forRoot(options)], controllers: [NewsController as Type] })(
    AppModule,
  );
  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const sse = app.get(SseService);
  for (const path of ['news', 'both']) {
    const keep = get(`${url}/${path}`, { agent }).on('error', () => undefined);
    const earlier = await ask(`${url}/${path}`, undefined);
    for (let n = 0; n < 3_000; n++) await sse.send('news', { n, text: 'x'.repeat(100) });
    const kinds = Object.entries(kindsOf(earlier, await ask(`${url}/${path}`, undefined)));
    const least = new Map<string, number>();
    // In turns, so that what else the machine does meets all of them; the least of each counts.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [kind, id] of kinds) {
        const cpu = await cpuOf(`${url}/${path}`, id);
        if (round > 0) least.set(kind, Math.min(least.get(kind) ?? Infinity, cpu));
      }
    }
    const plain = least.get('none at all')!;
    console.log(`\n${name}, /${path}: ${plain.toFixed(0)} us of CPU for a request without an id`);
    for (const [kind, cpu] of least) {
      const ratio = cpu / plain;
      console.log(`  ${kind.padEnd(33)} ${ratio.toFixed(2)}${ratio > 2 ? '  above 2' : ''}`);
    }
    keep.destroy();
  }
  await app.close();
}

const retain = { events: 1_000 };
await measure('memory', { retain });
const redis = await startRedis();
try {
  await measure('Redis', { broker: 'redis', redis: redis.url, retain });
} finally {
  await redis.stop();
}
