// An instance of an application in a process of its own: prints its address, and ends on SIGTERM.
import 'reflect-metadata';
import { Controller, Get, Inject, Module, Sse } from '@nestjs/common';
import { SseChannel, SseModule, SseService } from '../../lib/index.js';
import { serveApp } from '../support/serve-app.js';

@Controller()
class EventsController {
  constructor(@Inject(SseService) private readonly sse: SseService) {}

  @Sse('events/:channel')
  @SseChannel('{channel}')
  events(): void {
    // The channel is all there is to it.
  }

  @Sse('keys/:key')
  @SseChannel('{key}', { source: 'cache', interval: 20, poller: 'elected' })
  keys(): void {
    // The key is all there is to it.
  }

  @Get('about')
  about(): { pid: number; polledKeys: number } {
    return { pid: process.pid, polledKeys: this.sse.stats().polledKeys };
  }
}

@Module({
  imports: [
    SseModule.forRoot({
      redis: process.env['REDIS_URL']!,
      broker: 'redis',
      retry: 50,
      drainTimeout: 200,
      redisStreams: { retain: { events: 50_000 } },
    }),
  ],
  controllers: [EventsController],
})
class AppModule {}

await serveApp(AppModule);
