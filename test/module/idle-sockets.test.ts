import { Controller, Get, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { SseChannel, SseModule } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';

@Controller()
class NewsController {
  @Get('plain')
  plain() {
    return 'x';
  }

  @Sse('news')
  @SseChannel('news')
  news() {}
}

const sockets: Socket[] = [];
afterEach(async () => {
  sockets.splice(0).forEach((socket) => socket.destroy());
  await closeApps();
});

/** A connection that has sent a text and received the first part of the answer. */
async function connected(url: string, sent = ''): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  if (sent) {
    socket.write(sent);
    await once(socket, 'data');
  }
  socket.resume();
  return socket;
}

describe.each(ADAPTERS)('An application that closes on %s', (adapter) => {
  it.each(['/plain', '/news'])('closes sockets that are idle after %s', async (path) => {
    const { app, url } = await startApp({ adapter, controllers: [NewsController] });
    const socket = await connected(url, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const closed = once(socket, 'close');
    await app.close();
    await closed;
  });

  it('waits until the client closes a socket on which no request has come', async () => {
    const { app, url } = await startApp({ adapter, controllers: [NewsController] });
    const silent = await connected(url);
    // The server has the socket by the time it has answered another one.
    await connected(url, 'GET /plain HTTP/1.1\r\nHost: x\r\n\r\n');
    let isOver = false;
    const over = app.close().then(() => (isOver = true));
    await once(sockets.at(-1)!, 'close');
    expect(isOver).toBe(false);
    silent.destroy();
    await over;
  });

  it('closes such a socket with forceCloseConnections', async () => {
    @Module({ imports: [SseModule.forRoot()], controllers: [NewsController] })
    class AppModule {}

    const forceCloseConnections = true;
    const http =
      adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter({ forceCloseConnections });
    const app = await NestFactory.create(AppModule, http, { logger: false, forceCloseConnections });
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const silent = await connected(url);
    await connected(url, 'GET /news HTTP/1.1\r\nHost: x\r\n\r\n');
    const closed = once(silent, 'close');
    await app.close();
    await closed;
  });
});
