import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Server } from 'node:http';
import { SseChannel } from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { sized } from '../support/soak.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class FaultsController {
  @Sse('events')
  @SseChannel('events')
  events() {}
}

const VANISHING = sized({ quick: 200, soak: 1_000 });
const AT_ONCE = sized({ quick: 20_000, soak: 100_000 });

const raws: RawClient[] = [];

async function raw(app: TestApp): Promise<RawClient> {
  const { connections } = app.sse.stats();
  const client = (await RawClient.get(app.url, '/events')).read();
  raws.push(client);
  await until(() => app.sse.stats().connections === connections + 1);
  return client;
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

describe.each(ADAPTERS)('Delivery on %s', (adapter) => {
  afterEach(async () => {
    raws.splice(0).forEach((client) => client.destroy());
    await closeApps();
  });

  const start = (options = {}) => startApp({ adapter, controllers: [FaultsController], options });

  it('goes on after a client resets its connection in the middle of a block', async () => {
    const app = await start();
    const reader = await app.connect('/events');
    const client = await raw(app);
    const block = 'x'.repeat(200_000);
    for (let i = 0; i < 20; i++) {
      void app.sse.send('events', block);
    }
    await until(() => client.bytes > 0);
    client.socket.resetAndDestroy();
    await until(() => app.sse.stats().connections === 1);
    await app.sse.send('events', 'after');
    await until(() => reader.events.at(-1)?.data === 'after');
    expect(reader.events).toHaveLength(21);
    expect(app.sse.stats().readers).toBe(1);
  });

  it('ends the stream of a client that half-closes', async () => {
    const app = await start();
    const client = await raw(app);
    client.socket.end();
    await until(() => app.sse.stats().connections === 0);
    expect(app.sse.stats().readers).toBe(0);
  });

  it('refuses a megabyte of headers and serves the next client', async () => {
    const app = await start();
    const client = await RawClient.get(app.url, '/events', { 'X-Large': 'x'.repeat(1_000_000) });
    raws.push(client.read());
    await until(() => client.closed);
    expect(client.text).toMatch(/^(HTTP\/1.1 431|$)/);
    const reader = await app.connect('/events');
    await app.sse.send('events', 'hello');
    expect((await reader.next()).data).toBe('hello');
    expect(app.sse.stats().connections).toBe(1);
  });

  it('answers pipelined requests one after the other', async () => {
    const app = await start();
    const client = await RawClient.open(app.url);
    raws.push(client.read());
    client.send('/events');
    client.send('/events');
    // The second stream waits behind the first; nothing of it may get in between.
    await until(() => app.sse.stats().connections >= 1);
    for (const number of numbers(50)) {
      await app.sse.send('events', number);
    }
    await until(() => client.data.length >= 50);
    expect(client.data).toEqual(numbers(50));
    expect(client.text.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    await app.sse.complete('events');
    await until(() => client.text.match(/HTTP\/1\.1 200/g)?.length === 2);
    client.destroy();
    await until(() => app.sse.stats().connections === 0);
  });

  it(`serves the others while ${VANISHING} clients vanish during one flush`, async () => {
    const app = await start();
    const clients = [];
    for (let i = 0; i < VANISHING; i++) {
      const client = await RawClient.get(app.url, '/events');
      clients.push(client);
      raws.push(client);
    }
    const reader = await app.connect('/events');
    await until(() => app.sse.stats().connections === VANISHING + 1);
    const sent = numbers(2_000);
    for (const [index, number] of sent.entries()) {
      void app.sse.send('events', number);
      if (index === 1_000) {
        clients.forEach((client) => client.destroy());
      }
      if (index % 10 === 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await until(() => reader.events.length >= sent.length);
    expect(reader.events.map(({ data }) => data)).toEqual(sent);
    await until(() => app.sse.stats().connections === 1);
    expect(app.sse.stats().readers).toBe(1);
  });

  it(`delivers ${AT_ONCE} events that were appended in one turn`, async () => {
    const app = await start();
    const clients = await Promise.all(Array.from({ length: 5 }, () => app.connect('/events')));
    const sent = numbers(AT_ONCE);
    for (const number of sent) {
      void app.sse.send('events', number);
    }
    await until(() => clients.every((client) => client.events.length >= sent.length));
    for (const client of clients) {
      expect(client.events.filter(({ type }) => type === 'sse:reset')).toHaveLength(0);
      expect(client.events.map(({ data }) => data)).toEqual(sent);
    }
  });

  it('ends every stream in order when the application closes during a flush', async () => {
    const app = await start();
    const clients = await Promise.all(Array.from({ length: 50 }, () => app.connect('/events')));
    await until(() => app.sse.stats().connections === 50);
    for (const number of numbers(5_000)) {
      void app.sse.send('events', number);
    }
    await new Promise((resolve) => setImmediate(resolve));
    await app.app.close();
    for (const client of clients) {
      const end = await client.closed;
      expect(end.by).toBe('server');
      const received = client.events.map(({ data }) => data);
      expect(received).toEqual(numbers(received.length));
    }
    expect((app.app.getHttpServer() as Server).listening).toBe(false);
  });
});
