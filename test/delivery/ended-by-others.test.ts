import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Server, ServerResponse } from 'node:http';
import { SseChannel } from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class EventsController {
  @Sse('events')
  @SseChannel('events')
  events() {}
}

describe.each(ADAPTERS)('A response that the application ends by itself on %s', (adapter) => {
  afterEach(closeApps);

  it('is followed by nothing but the next response on its socket', async () => {
    const app = await startApp({
      adapter,
      controllers: [EventsController],
      options: { heartbeat: 0, stallTimeout: 0 },
    });
    const responses: ServerResponse[] = [];
    const server = app.app.getHttpServer() as Server;
    server.prependListener('request', (_request, response) => responses.push(response));
    const client = await RawClient.get(app.url, '/events');
    client.stall();
    await until(() => app.sse.stats().connections === 1);
    // Once the kernel takes no more, the end waits in Node, and the connection is still open.
    const { socket } = responses[0]!;
    let sent = 0;
    for (; socket!.writableLength === 0; sent++) {
      await app.sse.send('events', `${sent} ${'x'.repeat(8_000)}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    responses[0]!.end();
    await app.sse.send('events', 'too late');
    await new Promise((resolve) => setImmediate(resolve));
    expect(app.sse.stats().connections).toBe(1);
    client.send('/events');
    client.read().socket.resume();
    await until(() => client.text.match(/event: sse:open/g)?.length === 2);
    await app.sse.send('events', 'after');
    await until(() => client.text.includes('data: after'));
    client.destroy();
    const [first, second] = client.text.split('\r\n0\r\n\r\n');
    expect(first!.match(/(?<=^data: )\d+/gm)).toEqual(
      Array.from({ length: sent }, (_, number) => String(number)),
    );
    expect(second).toMatch(/^HTTP\/1\.1 200/);
    expect(second!.match(/(?<=^data: )[a-z ]+$/gm)).toEqual(['after']);
  });
});
