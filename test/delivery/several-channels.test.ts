import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Observable } from 'rxjs';
import { SseChannel, SseEvents, type SseEvent } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';

interface SetRequest {
  query: { set?: string };
}

const channelsOf = ({ query }: SetRequest): string[] => (query.set ?? '').split(',');

@Controller()
class SetController {
  @Sse('set')
  @SseChannel(channelsOf)
  set() {}

  @Sse('handled')
  @SseChannel(channelsOf)
  handled(@SseEvents() events$: Observable<SseEvent>) {
    return events$;
  }
}

/** A small generator, so that a failing run can be repeated from its seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

describe.each(ADAPTERS)('Several channels on one connection on %s', (adapter) => {
  afterEach(closeApps);

  const start = (options = {}) => startApp({ adapter, controllers: [SetController], options });

  const data = (events: readonly { data: string }[]): string[] => events.map((event) => event.data);

  it('resume where the client had them, and start live where it had not', async () => {
    const { sse, connect } = await start();
    const client = await connect('/set?set=a,b');
    await until(() => client.lastEventId);
    await sse.send('a', 'a1');
    await sse.send('b', 'b1');
    await client.take(2);
    await client.close();
    await sse.send('a', 'a2');
    await sse.send('b', 'b2');
    await sse.send('c', 'c1');
    // Permission for `b` is gone: its position in the id widens nothing.
    const again = await connect('/set?set=c,a', { lastEventId: client.lastEventId });
    expect(data(await again.take(1))).toEqual(['a2']);
    await sse.send('b', 'b3');
    await sse.send('c', 'c2');
    await sse.send('a', 'a3');
    expect(data(await again.take(2))).toEqual(['c2', 'a3']);
    expect(again.events).toHaveLength(3);
    const back = await connect('/set?set=b,a', { lastEventId: again.lastEventId });
    await sse.send('b', 'b4');
    expect(data(await back.take(1))).toEqual(['b4']);
  });

  it('each get a reset when the id belongs to none of them', async () => {
    const { connect } = await start();
    const client = await connect('/set?set=a,b', { lastEventId: 'elsewhere-3' });
    const resets = await client.take(2);
    expect(resets.map(({ data: text }) => JSON.parse(text) as unknown)).toEqual([
      { channel: 'a', reason: 'unknown-position' },
      { channel: 'b', reason: 'unknown-position' },
    ]);
  });

  it('get a reset for what was trimmed, and resume exactly for the rest', async () => {
    const { sse, connect } = await start({ retain: { events: 5 } });
    const client = await connect('/set?set=a,b');
    await until(() => client.lastEventId);
    await client.close();
    for (let i = 0; i < 10; i++) {
      await sse.send('a', `a${i}`);
    }
    await sse.send('b', 'b0');
    const again = await connect('/set?set=a,b', { lastEventId: client.lastEventId });
    const events = await again.take(2);
    expect(events.find(({ type }) => type === 'sse:reset')!.data).toBe(
      '{"channel":"a","reason":"trimmed"}',
    );
    expect(data(events)).toContain('b0');
    await sse.send('a', 'next');
    expect((await again.next()).data).toBe('next');
  });

  it('end when the last of them has ended, and then for good', async () => {
    const { sse, connect } = await start();
    const client = await connect('/set?set=a,b');
    await until(() => client.lastEventId);
    await sse.complete('a');
    await sse.send('b', 'still there');
    expect(data(await client.take(2))).toEqual(['[DONE]', 'still there']);
    await client.close();
    const again = await connect('/set?set=a,b', { lastEventId: client.lastEventId });
    expect(again.opened.status).toBe(200);
    await sse.send('a', 'of the next run');
    await sse.complete('b');
    expect(data(await again.take(1))).toEqual(['[DONE]']);
    await again.closed;
    expect((await connect('/set?set=a,b', { lastEventId: again.lastEventId })).opened.status).toBe(
      204,
    );
  });

  it.each(['/set', '/handled'])(
    'lose and repeat nothing on %s while connections break at random',
    async (path) => {
      const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
      const app = await start({ retain: { events: 100_000 } });
      const count = sized({ quick: 1_500, soak: 40_000 });
      const received = await readThroughBreaks(app, path, count, random(seed));
      for (const channel of ['a', 'b', 'c']) {
        const numbers = received
          .filter((text) => text.startsWith(channel))
          .map((text) => Number(text.slice(1)));
        expect({ seed, numbers }).toEqual({
          seed,
          numbers: Array.from({ length: numbers.length }, (_, i) => i),
        });
      }
      expect({ seed, total: received.length }).toEqual({ seed, total: count });
    },
  );
});

/** Sends to three channels, and reads them by a client whose connection breaks again and again. */
async function readThroughBreaks(
  { sse, connect }: TestApp,
  path: string,
  count: number,
  next: () => number,
): Promise<string[]> {
  const received: string[] = [];
  let client = await connect(`${path}?set=a,b,c`);
  await until(() => client.lastEventId);
  const sent: Record<string, number> = { a: 0, b: 0, c: 0 };
  let done = false;
  const reading = (async () => {
    for (;;) {
      const goal = client.events.length + Math.ceil(next() * 40);
      await until(() => client.events.length >= goal || done);
      await client.close();
      received.push(...client.events.map(({ data }) => data));
      if (received.length >= count) {
        return;
      }
      client = await connect(`${path}?set=a,b,c`, { lastEventId: client.lastEventId });
      if (done) {
        const left = count - received.length;
        await until(() => client.events.length >= left);
      }
    }
  })();
  for (let i = 0; i < count; i++) {
    const channel = 'abc'[Math.floor(next() * 3)]!;
    void sse.send(channel, `${channel}${sent[channel]!++}`);
    if (next() < 0.2) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  done = true;
  await reading;
  return received;
}
