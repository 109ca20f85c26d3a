import 'reflect-metadata';
import { Controller, Module, Sse } from '@nestjs/common';
import { filter } from 'rxjs';
import { SseChannel, SseEvents, SseModule, SseService } from '../../lib/index.js';
import { listeningApplication } from './nest-application.js';
import type { SseEvent } from '../../lib/index.js';
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

/** This module in a Nest application, fed by `send()` in the same process. */
export const peer: Peer = {
  async start({ filtered, heartbeat, platform, protocol }) {
    @Module({
      imports: [SseModule.forRoot({ heartbeat, drainTimeout: 0 })],
      controllers: [EventsController],
    })
    class AppModule {}

    const app = await listeningApplication(AppModule, platform, protocol);
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
