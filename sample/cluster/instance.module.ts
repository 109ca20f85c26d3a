import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
// In an app of yours: from 'nestjs-sse-channels'.
import { SseModule } from '../../lib/index.js';
import { AnswersModule } from '../answers/answers.module.js';
import { LoungeModule } from '../lounge/lounge.module.js';
import { RedisSessions } from '../lounge/redis-sessions.js';
import { SseErrorFilter } from '../sse-error.filter.js';
import { ChatController } from './chat.controller.js';

const redis = process.env['REDIS_URL']!;

@Module({
  imports: [
    SseModule.forRoot({
      redis,
      broker: 'redis',
      // disconnect() reaches the clients of all instances.
      revocation: true,
      retry: 500,
      // Longer than clients take to return, and short enough to watch.
      presenceGrace: 2_000,
      drainTimeout: 500,
      // An answer whose instance has died is lost after this time.
      runs: { lease: 3_000 },
    }),
    LoungeModule.register(new RedisSessions(redis)),
    AnswersModule.register(),
  ],
  controllers: [ChatController],
  providers: [{ provide: APP_FILTER, useClass: SseErrorFilter }],
})
export class InstanceModule {}
