import 'reflect-metadata';
import { Controller, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { filter } from 'rxjs';
import { SseChannel, SseEvents, SseModule, SseService } from '../../lib/index.js';
import type { SseEvent } from '../../lib/index.js';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AddressInfo } from 'node:net';
import type { Observable } from 'rxjs';
import type { Peer } from './peer.js';

@Controller()
class EventsController {
  @Sse('events/:channel')
  @SseChannel('{channel}')
  events(): void {}

  @Sse('filtered/:channel')
  @SseChannel('{channel}')
  filtered(@SseEvents() events$: Observable<SseEvent<string>>): Observable<SseEvent<string>> {
    return events$.pipe(filter((event) => event.data.length > 1));
  }
}

/** This module in a Nest application on Express, fed by `send()` in the same process. */
export const peer: Peer = {
  async start({ filtered, heartbeat }) {
    @Module({
      imports: [SseModule.forRoot({ heartbeat, drainTimeout: 0 })],
      controllers: [EventsController],
    })
    class AppModule {}

    const app = await NestFactory.create<NestExpressApplication>(AppModule, {
      logger: ['error', 'warn'],
      forceCloseConnections: true,
    });
    await app.listen(0, '127.0.0.1');
    const sse = app.get(SseService);
    return {
      port: (app.getHttpServer().address() as AddressInfo).port,
      path: (channel) => `/${filtered ? 'filtered' : 'events'}/${channel}`,
      publish(channel, events) {
        for (const data of events) void sse.send(channel, data);
      },
      stop: () => app.close(),
    };
  },
};
