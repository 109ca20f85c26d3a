import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel, type SseEvent } from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const keyOf = (event: SseEvent): string => (event.data as { key: string }).key;

@Controller()
class SlowController {
  @Sse('reset')
  @SseChannel('bulk')
  reset() {}

  @Sse('disconnect')
  @SseChannel('bulk', { overflow: 'disconnect' })
  disconnect() {}

  @Sse('latest')
  @SseChannel('prices', { overflow: { latest: keyOf } })
  latest() {}

  @Sse('several')
  @SseChannel(() => ['bulk', 'other'])
  several() {}
}

const raws: RawClient[] = [];
const KILOBYTE = 'x'.repeat(1_000);

async function stalled(app: TestApp, path: string): Promise<RawClient> {
  const { connections } = app.sse.stats();
  const client = (await RawClient.get(app.url, path)).stall();
  raws.push(client);
  await until(() => app.sse.stats().connections === connections + 1);
  return client;
}

/** Sends turn by turn, as an application does. */
async function flood(app: TestApp, channel: string, count: number, from = 0): Promise<void> {
  for (let i = 0; i < count; i++) {
    await app.sse.send(channel, `${from + i}:${KILOBYTE}`);
    if (i % 20 === 19) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

describe('A client that does not read', () => {
  afterEach(async () => {
    raws.splice(0).forEach((client) => client.destroy());
    await closeApps();
  });

  it('costs a cursor instead of a queue, and slows nobody else', async () => {
    const clients = sized({ quick: 200, soak: 500 });
    const events = 10_000;
    const app = await startApp({
      controllers: [SlowController],
      options: { retain: { events: 200, bytes: 300_000 } },
    });
    const sockets: Socket[] = [];
    (app.app.getHttpServer() as Server).on('connection', (socket) => sockets.push(socket));
    const readers = await Promise.all(Array.from({ length: 5 }, () => app.connect('/reset')));
    for (let i = 0; i < clients; i++) {
      await stalled(app, '/reset');
    }
    await flood(app, 'bulk', 3_000);
    await until(() => readers.every((reader) => reader.events.length === 3_000));
    await flood(app, 'bulk', events - 3_000, 3_000);
    await until(() => readers.every((reader) => reader.events.length === events));
    for (const reader of readers) {
      const numbers = reader.events.map(({ data }) => Number(data.split(':', 1)[0]));
      expect(numbers).toEqual(Array.from({ length: events }, (_, i) => i));
    }
    const waiting = sockets.map((socket) => socket.writableLength).filter((bytes) => bytes > 0);
    expect(waiting).toHaveLength(clients);
    expect(Math.max(...waiting)).toBeLessThan(64 * 1024);
    expect(app.sse.stats().retained.bytes).toBeLessThanOrEqual(300_000);
  });

  it('gets a reset for the events it missed, and goes on from there', async () => {
    const app = await startApp({
      controllers: [SlowController],
      options: { retain: { events: 50, bytes: 60_000 } },
    });
    const client = await stalled(app, '/reset');
    await flood(app, 'bulk', 8_000);
    client.read().socket.resume();
    await until(() => client.text.includes('sse:reset'));
    const id = await app.sse.send('bulk', 'after');
    await until(() => client.data.at(-1) === 'after');
    expect(client.text).toContain(
      'event: sse:reset\ndata: {"channel":"bulk","reason":"slow-consumer"}',
    );
    expect(client.text.endsWith(`data: after\nid: ${id}\n\n\r\n`)).toBe(true);
    // Before the reset nothing is missing.
    const before = client.text.slice(0, client.text.indexOf('event: sse:reset'));
    const numbers = [...before.matchAll(/^data: (\d+):/gm)].map(([, number]) => Number(number));
    expect(numbers.length).toBeGreaterThan(100);
    expect(numbers).toEqual(numbers.map((_, i) => i));
  });

  it("is disconnected when its endpoint has overflow: 'disconnect', and may resume", async () => {
    const app = await startApp({
      controllers: [SlowController],
      options: { retain: { events: 50, bytes: 60_000 } },
    });
    const client = await stalled(app, '/disconnect');
    await flood(app, 'bulk', 8_000);
    client.read().socket.resume();
    await until(() => client.closed);
    expect(client.text).not.toContain('sse:reset');
    const lastEventId = [...client.text.matchAll(/^id: (.*)$/gm)].at(-1)![1]!;
    const again = await app.connect('/disconnect', { lastEventId });
    expect(JSON.parse((await again.next({ type: 'sse:reset' })).data)).toEqual({
      channel: 'bulk',
      reason: 'trimmed',
    });
  });

  it('gets the newest event of each key once it lags', async () => {
    const app = await startApp({
      controllers: [SlowController],
      options: { retain: { events: 50, bytes: 60_000 } },
    });
    const client = await stalled(app, '/latest');
    const keys = 20;
    const rounds = 400;
    await app.sse.send('prices', { key: 'rare', round: 0, filler: KILOBYTE });
    for (let round = 1; round <= rounds; round++) {
      for (let key = 0; key < keys; key++) {
        void app.sse.send('prices', { key: `k${key}`, round, filler: KILOBYTE });
      }
      if (round === 250) {
        void app.sse.send('prices', { key: 'rare', round, filler: KILOBYTE });
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.read().socket.resume();
    await until(
      () => client.data.filter((data) => data.includes(`"round":${rounds},`)).length >= keys,
    );
    await app.sse.send('prices', { key: 'end', round: rounds });
    await until(() => client.data.at(-1)?.includes('"end"'));
    const events = client.data.map((data) => JSON.parse(data) as { key: string; round: number });
    const newest = new Map(events.map(({ key, round }) => [key, round]));
    expect(client.text).not.toContain('sse:reset');
    expect(events.length).toBeLessThan(keys * rounds);
    // Also the key whose event had long left the retained window.
    expect(newest.get('rare')).toBe(250);
    for (let key = 0; key < keys; key++) {
      expect(newest.get(`k${key}`)).toBe(rounds);
      const own = events.filter((event) => event.key === `k${key}`).map(({ round }) => round);
      expect(own).toEqual([...new Set(own)].toSorted((a, b) => a - b));
    }
  });

  it('is disconnected after the stall timeout', async () => {
    const app = await startApp({
      controllers: [SlowController],
      options: { stallTimeout: 200 },
    });
    const reader = await app.connect('/several');
    const client = await stalled(app, '/several');
    await flood(app, 'bulk', 8_000);
    await until(() => app.sse.stats().stalled === 1);
    await until(() => app.sse.stats().connections === 1);
    await until(() => reader.events.length === 8_000);
    expect(reader.events.filter(({ type }) => type === 'sse:reset')).toHaveLength(0);
    client.read().socket.resume();
    await until(() => client.closed);
  });

  it('misses nothing that is retained when it then reads a byte at a time', async () => {
    const app = await startApp({ controllers: [SlowController] });
    const client = await RawClient.get(app.url, '/reset');
    raws.push(client);
    await until(() => app.sse.stats().connections === 1);
    client.socket.pause();
    let text = '';
    client.socket.on('readable', () => undefined);
    await flood(app, 'bulk', 30);
    await until(() => {
      for (let i = 0; i < 500; i++) {
        text += (client.socket.read(1) as Buffer | null)?.toString('latin1') ?? '';
      }
      return text.includes(`29:${KILOBYTE}`);
    });
    const numbers = [...text.matchAll(/^data: (\d+):/gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });
});
