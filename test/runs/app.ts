// An instance of an application with runs in a process of its own: prints its address, and ends on
// SIGTERM.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseModule } from '../../lib/index.js';
import { ChatsController } from './chats.js';

@Module({
  imports: [
    SseModule.forRoot({
      ...(JSON.parse(process.env['SSE_OPTIONS']!) as object),
      drainTimeout: 100,
    }),
  ],
  controllers: [ChatsController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
console.log(`address ${await app.getUrl()}`);
