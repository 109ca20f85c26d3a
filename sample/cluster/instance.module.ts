import { Module } from '@nestjs/common';
// In an app of yours: from 'nestjs-sse-channels'.
import { SseModule } from '../../lib/index.js';
import { ChatController } from './chat.controller.js';

@Module({
  imports: [
    SseModule.forRoot({
      redis: process.env['REDIS_URL']!,
      broker: 'redis',
      retry: 500,
      drainTimeout: 500,
    }),
  ],
  controllers: [ChatController],
})
export class InstanceModule {}
