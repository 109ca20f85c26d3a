import { Controller, Param, RequestMethod, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Observable, of } from 'rxjs';
import { channelName, SseChannel, SseService, type RunSource } from '../../lib/index.js';
import { RawStream } from '../endpoint/raw-stream.js';
import { SYSTEMS, type System } from '../once/systems.js';
import { errorLog } from '../support/error-log.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

async function* failing(error: unknown, ...values: unknown[]) {
  yield* values;
  throw error;
}

const iterator = (next: () => unknown, rest = {}) => ({
  [Symbol.asyncIterator]: () => ({ next, ...rest }),
});

const locked = () => {
  const stream = new ReadableStream({ start: (controller) => controller.close() });
  stream.getReader();
  return stream;
};

/** An object with a reference to itself. */
const circle: { self?: unknown } = {};
circle.self = circle;

/** Sources that never give anything, and what the log says of them. */
const NOTHING: Record<string, readonly [source: () => unknown, why: string]> = {
  'throws at once': [() => failing(new Error('at once')), 'at once'],
  'throws a string': [() => failing('a string'), 'a string'],
  'throws nothing': [() => failing(undefined), 'undefined'],
  'rejects while it is opened': [() => Promise.reject(new Error('opened')), 'opened'],
  'has no iterator': [() => ({ [Symbol.asyncIterator]: () => null }), 'null'],
  'has an iterator that gives nothing': [() => iterator(() => undefined), 'undefined'],
  'has an iterator that throws': [
    () =>
      iterator(() => {
        throw new Error('in next()');
      }),
    'in next()',
  ],
  'is a Response of an error': [() => new Response('no', { status: 500 }), 'has the status 500'],
  'is a stream that somebody reads': [locked, 'Somebody else reads the stream'],
  'is the Response of such a stream': [
    async () => {
      const response = new Response('read');
      await response.text();
      return response;
    },
    'Somebody else reads the stream',
  ],
  'is a proxy that throws': [
    () =>
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('a proxy');
          },
        },
      ),
    'a proxy',
  ],
  'is a number': [() => 5, 'is a number'],
  'is nothing': [() => undefined, 'is undefined'],
  'begins with a circle': [() => of(circle), 'circular'],
  'begins with 100 MiB': [() => of('x'.repeat(100 * 1_048_576)), 'limits.eventSize'],
  'begins with a type of ours': [() => of({ type: 'sse:open', data: 1 }), 'sse:open'],
};

/** Sources that misbehave later, with what readers receive. */
const SOMETHING: Record<string, readonly [source: () => unknown, data: readonly string[]]> = {
  'throws after a chunk': [() => failing(new Error('later'), 'a'), ['a', 'sse:error', '[DONE]']],
  'goes on after its end': [
    () =>
      new Observable((subscriber) => {
        subscriber.next('a');
        subscriber.complete();
        subscriber.next('b');
        subscriber.error(new Error('too late'));
      }),
    ['a', '[DONE]'],
  ],
  'cannot be left': [
    () => {
      let count = 0;
      const next = async () => ({ done: count++ > 0, value: 'a' });
      return iterator(next, { return: () => Promise.reject(new Error('left')) });
    },
    ['a', '[DONE]'],
  ],
  'is an answer without content': [() => new Response(null, { status: 204 }), ['[DONE]']],
  'has 100 MiB behind a chunk': [
    () => of('a', 'x'.repeat(100 * 1_048_576), 'b'),
    ['a', 'sse:error', '[DONE]'],
  ],
};

let source: () => unknown;

@Controller('runs/:id')
class RunsController {
  constructor(private readonly sse: SseService) {}

  @Sse('', { method: RequestMethod.POST })
  @SseChannel()
  async begin(@Param('id') id: string) {
    const run = await this.sse.run(channelName('run:{id}', { id }), source as RunSource);
    return run.events$;
  }
}

const PAIRS = ADAPTERS.flatMap((adapter) =>
  Object.entries(SYSTEMS).map(([name, make]) => ({ adapter, name, make })),
);

describe.each(PAIRS)('On $adapter with $name, a source that', ({ adapter, make }) => {
  let system: System;
  beforeAll(async () => void (system = await make()));
  afterEach(closeApps);
  afterAll(() => system.stop());

  const start = async () => {
    const { lines, logger } = errorLog();
    const options = { ...system.options, drainTimeout: 0 };
    const app = await startApp({
      adapter,
      controllers: [RunsController],
      options,
      logger,
    });
    return { ...app, lines };
  };

  it('gives nothing is answered with a status, told once, and leaves its channel free', async () => {
    for (const [what, [hostile, why]] of Object.entries(NOTHING)) {
      // The log takes ten such lines a minute.
      const { url, sse, lines, close } = await start();
      source = hostile;
      const answer = await fetch(`${url}/runs/1`, { method: 'POST' });
      expect([what, answer.status, await answer.json()]).toEqual([
        what,
        500,
        { statusCode: 500, message: 'Internal server error' },
      ]);
      expect(lines).toContainEqual(expect.stringContaining(why));
      expect(lines.filter((line) => line.includes('was not accepted'))).toHaveLength(
        what === 'throws a string' || what === 'throws nothing' ? 1 : 0,
      );
      // `run()` waits a second for the store to have the end.
      await until(() => sse.stats().runs === 0);
      const next = await sse.run('run:1', of('next'));
      expect(await next.done).toMatchObject({ reason: 'completed' });
      await close();
    }
  });

  it('misbehaves later ends its stream, and leaves its channel free', async () => {
    const { url, sse } = await start();
    for (const [what, [hostile, data]] of Object.entries(SOMETHING)) {
      source = hostile;
      const stream = await RawStream.open(`${url}/runs/1`, { method: 'POST' });
      await stream.closed;
      expect([what, stream.events.map((event) => event.event ?? event.data)]).toEqual([what, data]);
      await until(() => sse.stats().runs === 0);
    }
  });

  it('is replaced by several at once leaves one run, and the others know', async () => {
    const { sse } = await start();
    const endless = (signal: AbortSignal) =>
      (async function* () {
        for (; !signal.aborted; await sleep(5)) yield 'chunk';
      })();
    const runs = await Promise.all(
      [0, 1, 2, 3].map(() => sse.run('run:1', endless, { replace: true })),
    );
    let ended = 0;
    runs.forEach(({ done }) => void done.then(({ reason }) => (ended += +(reason === 'stopped'))));
    await until(() => ended === 3);
    expect(sse.stats().runs).toBe(1);
    expect(await sse.stop('run:1')).toBe(true);
    await until(() => ended === 4);
  });
});
