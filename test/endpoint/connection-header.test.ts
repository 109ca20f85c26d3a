import { Controller, Header, Sse } from '@nestjs/common';
import type { Server } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import { untilNobodyIsLeft } from '../support/newcomer.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class HeadsController {
  @Sse('events')
  @SseChannel('events')
  events() {}

  @Sse('kept')
  @Header('Connection', 'keep-alive')
  @SseChannel('events')
  kept() {}

  @Sse('closing')
  @Header('Connection', 'close')
  @SseChannel('events')
  closing() {}
}

const raws: RawClient[] = [];

describe.each(ADAPTERS)('The connection of a stream on %s', (adapter) => {
  afterEach(async () => {
    raws.splice(0).forEach((client) => client.destroy());
    await closeApps();
  });

  const start = (options = {}) => startApp({ adapter, options, controllers: [HeadsController] });

  const ask = async (url: string, request: string): Promise<RawClient> => {
    const client = (await RawClient.open(url)).read();
    raws.push(client);
    client.socket.write(request);
    return client;
  };

  const connectionOf = (client: RawClient): string[] =>
    [...client.text.matchAll(/^connection: (.*)\r$/gim)].map(([, value]) => value!);

  it.each([
    ['that asks for its end', '/events', '1.1', 'close', 'close'],
    ['that asks for its end among others', '/kept', '1.1', 'keep-alive, Close', 'close'],
    ['whose endpoint ends it', '/closing', '1.1', 'keep-alive', 'close'],
    ['of HTTP/1.0', '/events', '1.0', 'keep-alive', 'close'],
    ['that says nothing', '/events', '1.1', undefined, 'keep-alive'],
    ['that keeps it', '/kept', '1.1', 'keep-alive', 'keep-alive'],
  ])(
    'closes or remains as its header says, for a client %s',
    async (_, path, version, asked, told) => {
      const app = await start();
      const header = asked === undefined ? '' : `Connection: ${asked}\r\n`;
      const client = await ask(
        app.url,
        `GET ${path} HTTP/${version}\r\nHost: localhost\r\n${header}\r\n`,
      );
      await until(() => app.sse.stats().connections === 1);
      await app.sse.send('events', 'one');
      await app.sse.complete('events');
      await until(() => client.text.includes('[DONE]'));
      expect(connectionOf(client)).toEqual([told]);
      expect(client.data).toEqual(['one', '[DONE]']);
      await untilNobodyIsLeft(app);
      if (told === 'close') {
        await until(() => client.closed);
      } else {
        // The same socket serves the next request.
        client.send('/events', { Connection: 'close' });
        await until(() => app.sse.stats().connections === 1);
        await app.sse.complete('events');
        await until(() => client.closed);
        expect(connectionOf(client)).toEqual([told, 'close']);
      }
    },
  );

  it('closes after its stream when it cannot carry another request', async () => {
    const app = await start();
    (app.app.getHttpServer() as Server).maxRequestsPerSocket = 2;
    const client = (await RawClient.open(app.url)).read();
    raws.push(client);
    for (const told of [['keep-alive'], ['keep-alive', 'close']]) {
      client.send('/events');
      await until(() => app.sse.stats().connections === 1);
      await app.sse.complete('events');
      await untilNobodyIsLeft(app);
      expect(connectionOf(client)).toEqual(told);
    }
    await until(() => client.closed);
    expect(client.data).toEqual(['[DONE]', '[DONE]']);
  });

  it('closes after a refusal when its client asks for that', async () => {
    const app = await start({ limits: { connections: 1 } });
    await app.connect('/events');
    await until(() => app.sse.stats().connections === 1);
    const refused = await ask(
      app.url,
      'GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    await until(() => refused.closed);
    expect(refused.text).toMatch(/retry: \d+/);
    expect(connectionOf(refused)).toEqual(['close']);
  });

  it('closes after a 204 when its client asks for that', async () => {
    const app = await start();
    const done = await app.sse.complete('events');
    const returned = await ask(
      app.url,
      `GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ${done}\r\nConnection: close\r\n\r\n`,
    );
    await until(() => returned.closed);
    expect(returned.text).toMatch(/^HTTP\/1\.1 204/);
    expect(connectionOf(returned)).toEqual(['close']);
  });
});
