import 'reflect-metadata';
import { Controller, Module, Param, Sse } from '@nestjs/common';
import { EMPTY, Subject, filter, interval, map, merge } from 'rxjs';
import { listeningApplication } from './nest-application.js';
import type { MessageEvent } from '@nestjs/common';
import type { AddressInfo } from 'node:net';
import type { Observable } from 'rxjs';
import type { Peer } from './peer.js';

const subjects = new Map<string, Subject<MessageEvent>>();
let heartbeats: Observable<MessageEvent> = EMPTY;

@Controller()
class EventsController {
  @Sse('events/:channel')
  events(@Param('channel') channel: string): Observable<MessageEvent> {
    const events$ = subjects.get(channel)!;
    return heartbeats === EMPTY ? events$ : merge(events$, heartbeats);
  }

  @Sse('filtered/:channel')
  filtered(@Param('channel') channel: string): Observable<MessageEvent> {
    return subjects.get(channel)!.pipe(filter((event) => (event.data as string).length > 1));
  }
}

@Module({ controllers: [EventsController] })
class AppModule {}

/** Nest's own `@Sse()`, with a Subject per channel. */
export const peer: Peer = {
  async start({ channels, filtered, heartbeat, platform }) {
    for (const channel of channels) subjects.set(channel, new Subject());
    if (heartbeat > 0) heartbeats = interval(heartbeat).pipe(map(() => ({ comment: '' })));
    const app = await listeningApplication(AppModule, platform);
    return {
      port: (app.getHttpServer().address() as AddressInfo).port,
      path: (channel) => `/${filtered ? 'filtered' : 'events'}/${channel}`,
      publish(channel, events) {
        const subject = subjects.get(channel)!;
        for (const data of events) subject.next({ data });
      },
      stop: () => app.close(),
    };
  },
};
