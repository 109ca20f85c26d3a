import { Controller, Res, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { NEVER } from 'rxjs';
import { SseChannel } from '../../lib/index.js';
import { expectRoomFor } from '../support/newcomer.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp, type Adapter } from '../support/start-app.js';
import { until } from '../support/until.js';

const never = new Promise<string>(() => undefined);
const responses: ServerResponse[] = [];

@Controller()
class LostController {
  @Sse('events')
  @SseChannel('events')
  events(@Res() response: ServerResponse & { raw?: ServerResponse }) {
    responses.push(response.raw ?? response);
  }

  @Sse('hanging-resolver')
  @SseChannel(() => never)
  hangingResolver() {}

  @Sse('hanging-handler')
  @SseChannel('events')
  hangingHandler() {
    return never;
  }

  @Sse('silent')
  @SseChannel('events')
  silent() {
    return NEVER;
  }
}

const raws: RawClient[] = [];

const start = (options = {}, adapter: Adapter = 'express') =>
  startApp({ adapter, controllers: [LostController], options: { heartbeat: 0, ...options } });

const ask = async (url: string, path: string): Promise<RawClient> => {
  const client = (await RawClient.get(url, path)).read();
  raws.push(client);
  return client;
};

afterEach(async () => {
  responses.splice(0);
  raws.splice(0).forEach((client) => client.destroy());
  await closeApps();
});

it('Connections that have ended unnoticed are found with stallTimeout: 0 as well', async () => {
  const app = await start({ stallTimeout: 0 });
  const client = await ask(app.url, '/events');
  await until(() => app.sse.stats().connections === 1);
  responses[0]!.removeAllListeners('close');
  client.destroy();
  await expectRoomFor(app, { path: '/events', channel: 'events' });
});

describe.each(ADAPTERS)('On %s', (adapter) => {
  it('the audit finds connections whose end nobody reports, and counts none of them as stalled', async () => {
    const app = await start({ stallTimeout: 400 }, adapter);
    const clients = await Promise.all(Array.from({ length: 20 }, () => ask(app.url, '/events')));
    await until(() => app.sse.stats().connections === 20);
    responses.forEach((response) => response.removeAllListeners('close'));
    clients.forEach((client) => client.destroy());
    await expectRoomFor(app, { path: '/events', channel: 'events' });
    expect(app.sse.stats().stalled).toBe(0);
  });

  it('a connection ends when other code destroys its response', async () => {
    const app = await start({}, adapter);
    await ask(app.url, '/events');
    await until(() => app.sse.stats().connections === 1);
    responses[0]!.destroy();
    await expectRoomFor(app, { path: '/events', channel: 'events' });
  });

  it('nothing is written to a response after other code has ended it', async () => {
    const app = await start({}, adapter);
    const client = (await ask(app.url, '/events')).stall();
    await until(() => app.sse.stats().connections === 1);
    // More than the kernel holds for a client that does not read.
    for (let i = 0; i < 200; i++) {
      await app.sse.send('events', 'x'.repeat(100_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    responses[0]!.end('data: the end\n\n');
    await app.sse.send('events', 'behind');
    client.socket.resume();
    await until(() => client.text.includes('the end'));
    client.send('/events');
    await until(() => client.text.match(/HTTP\/1\.1 200/g)?.length === 2);
    const [first, second] = client.text.split('HTTP/1.1 200').slice(1);
    expect(first!.endsWith('\r\n0\r\n\r\n')).toBe(true);
    expect(second).not.toContain('the end');
    client.destroy();
    await expectRoomFor(app, { path: '/events', channel: 'events' });
  });

  it.each(['/hanging-resolver', '/hanging-handler'])(
    'requests to %s count against the limits, and end with their clients',
    async (path) => {
      const app = await start({ limits: { connections: 10 } }, adapter);
      const clients = await Promise.all(Array.from({ length: 10 }, () => ask(app.url, path)));
      await until(() => app.sse.stats().opening === 10);
      const refused = await app.connect('/events');
      await refused.closed;
      expect(refused.retry).toBeGreaterThanOrEqual(15_000);
      expect(app.sse.stats().refused.capacity).toBe(1);
      clients.forEach((client) => client.destroy());
      await expectRoomFor(app, { path: '/events', channel: 'events' });
    },
  );

  it.each(['/hanging-resolver', '/hanging-handler', '/silent', '/events'])(
    'requests to %s are sent back when the application closes',
    async (path) => {
      const app = await start({ drainTimeout: 600_000 }, adapter);
      const clients = await Promise.all(Array.from({ length: 5 }, () => ask(app.url, path)));
      await until(() => app.sse.stats().connections + app.sse.stats().opening === 5);
      await app.app.close();
      for (const client of clients) {
        await until(() => client.closed);
        expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
        expect(client.text).toMatch(/retry: \d+\n/);
        expect(client.text.endsWith('\n\n\r\n0\r\n\r\n')).toBe(true);
      }
      expect(app.sse.stats()).toMatchObject({ connections: 0, opening: 0, readers: 0 });
    },
  );
});
