import 'reflect-metadata';
import { Controller, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseChannel, SseModule } from '../../lib/index.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

@Module({
  imports: [
    SseModule.forRoot({
      postgres: process.env['POSTGRES'] ?? '',
      broker: 'event-table',
      eventTable: { install: true },
      failFast: true,
      retry: 100,
    }),
  ],
  controllers: [NewsController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
await app.listen(Number(process.env['PORT']), '127.0.0.1');
console.log('listening');
