import { setImmediate } from 'node:timers/promises';
import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { map, Observable } from 'rxjs';
import { SseChannel, SseEvents, type SseEvent } from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const KILOBYTE = 'x'.repeat(1_000);
const MIBI = 1024 * 1024;

/** The length line before each chunk of a response; we write a chunk at once. */
const CHUNK = /^[0-9a-f]+\r\n/m;

let emitted = 0;

@Controller()
class SlowController {
  /** Emits for as long as somebody subscribes, however little of it is read. */
  @Sse('own')
  @SseChannel()
  own() {
    return new Observable<{ data: string }>((subscriber) => {
      void (async () => {
        while (!subscriber.closed) {
          emitted += KILOBYTE.length;
          subscriber.next({ data: KILOBYTE });
          if (emitted % 50_000 === 0) await setImmediate();
        }
      })();
    });
  }

  @Sse('mapped')
  @SseChannel('bulk', { overflow: 'disconnect' })
  mapped(@SseEvents() events$: Observable<SseEvent<string>>) {
    return events$.pipe(map(({ data }) => ({ data })));
  }

  @Sse('bulk')
  @SseChannel('bulk')
  bulk() {}

  @Sse('several')
  @SseChannel(() => ['bulk', 'other'], { overflow: { latest: () => 'the same' } })
  several() {}
}

describe.each(ADAPTERS)('A client that does not read on %s', (adapter) => {
  let client: RawClient | undefined;

  afterEach(async () => {
    client?.destroy();
    await closeApps();
  });

  it('is disconnected when its handler emits more than can wait', async () => {
    emitted = 0;
    const app = await startApp({ adapter, controllers: [SlowController] });
    client = (await RawClient.get(app.url, '/own')).stall();
    // On a busy machine all may be over before the next look.
    await until(() => emitted > 4 * MIBI && app.sse.stats().connections === 0);
    // What the systems' socket buffers take comes on top.
    expect(emitted).toBeLessThan(16 * MIBI);
  });

  it.each(['/mapped', '/several'])('gets a reset at %s, whatever `overflow` says', async (path) => {
    const app = await startApp({
      adapter,
      controllers: [SlowController],
      options: { retain: { events: 50, bytes: 60_000 } },
    });
    client = (await RawClient.get(app.url, path)).stall();
    await until(() => app.sse.stats().connections === 1);
    for (let i = 0; i < 8_000; i++) {
      await app.sse.send('bulk', KILOBYTE);
      if (i % 20 === 19) await setImmediate();
    }
    client.read().socket.resume();
    await until(() => client!.text.includes('"reason":"slow-consumer"'));
    expect(app.sse.stats().connections).toBe(1);
  });
});

it.each(ADAPTERS)('Events of one turn arrive in one write on %s', async (adapter) => {
  const app = await startApp({ adapter, controllers: [SlowController] });
  const client = (await RawClient.get(app.url, '/bulk')).read();
  await until(() => client.text.includes('sse:open'));
  await Promise.all(Array.from({ length: 100 }, (_, n) => app.sse.send('bulk', `event ${n}`)));
  await until(() => client.text.includes('event 99'));
  const chunks = client.text.split(CHUNK).filter((chunk) => chunk.includes('data: event'));
  expect(chunks).toHaveLength(1);
  client.destroy();
  await closeApps();
});
