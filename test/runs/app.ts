// An instance of an application with runs in a process of its own: prints its address, and ends on
// SIGTERM.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { SseModule } from '../../lib/index.js';
import { serveApp } from '../support/serve-app.js';
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

await serveApp(AppModule);
