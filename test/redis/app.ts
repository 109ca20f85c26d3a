// An instance of an application in a process of its own: prints its address, and ends on SIGTERM.
import 'reflect-metadata';
import { Controller, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseChannel, SseModule } from '../../lib/index.js';

@Controller()
class EventsController {
  @Sse('events/:channel')
  @SseChannel('{channel}')
  events(): void {
    // The channel is all there is to it.
  }
}

@Module({
  imports: [
    SseModule.forRoot({
      redis: process.env['REDIS_URL']!,
      broker: 'redis',
      retry: 50,
      drainTimeout: 200,
      redisStreams: { events: 50_000 },
    }),
  ],
  controllers: [EventsController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
console.log(`address ${await app.getUrl()}`);
