import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import { expectRoomFor } from '../support/newcomer.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { takeAnyBody } from '../support/take-any-body.js';
import { until } from '../support/until.js';

const never = new Promise<string>(() => undefined);

@Controller()
class BodiesController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('posted', { method: RequestMethod.POST })
  @SseChannel('events')
  posted() {}

  @Sse('hanging', { method: RequestMethod.POST })
  @SseChannel(() => never)
  hanging() {}
}

const raws: RawClient[] = [];

/** Announces a megabyte and sends a fifth of it: more than Node reads ahead. */
async function half(app: TestApp, method: string, path: string): Promise<RawClient> {
  const client = (await RawClient.open(app.url)).read();
  raws.push(client);
  client.socket.write(
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n` +
      `Content-Length: 1000000\r\n\r\n${'x'.repeat(200_000)}`,
  );
  return client;
}

describe.each(ADAPTERS)("A request's body that nobody reads, on %s,", (adapter) => {
  afterEach(async () => {
    raws.splice(0).forEach((client) => client.destroy());
    await closeApps();
  });

  const start = (options = {}) =>
    startApp({
      adapter,
      controllers: [BodiesController],
      options: { heartbeat: 0, stallTimeout: 0, ...options },
      prepare: takeAnyBody,
    });

  it.each([
    ['GET', '/events', 'end'],
    ['GET', '/events', 'resetAndDestroy'],
    ['POST', '/posted', 'end'],
    ['POST', '/posted', 'resetAndDestroy'],
  ] as const)('of %s %s does not hide the %s() of its client', async (method, path, end) => {
    const app = await start();
    const client = await half(app, method, path);
    await until(() => client.text.includes('HTTP/1.1 200'));
    expect(app.sse.stats().connections).toBe(1);
    client.socket[end]();
    await expectRoomFor(app, { path: '/events', channel: 'events' });
  });

  it('does not hide the end of a client while a resolver hangs', async () => {
    const app = await start({ stallTimeout: 200 });
    const client = await half(app, 'POST', '/hanging');
    await until(() => app.sse.stats().opening === 1);
    client.socket.end();
    await expectRoomFor(app, { path: '/events', channel: 'events' });
  });

  it('does not keep the application from closing', async () => {
    const app = await start({ drainTimeout: 600_000 });
    const client = await half(app, 'POST', '/posted');
    await until(() => app.sse.stats().connections === 1);
    await app.app.close();
    await until(() => client.closed);
    expect(client.text).toMatch(/retry: \d+/);
  });
});
