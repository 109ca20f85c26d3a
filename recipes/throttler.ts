import { Controller, Get, Module, Param, Sse } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { seconds, SkipThrottle, ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { SseChannel, SseModule } from 'nestjs-sse-channels';

@Controller('jobs/:id')
class JobsController {
  @Get()
  job(@Param('id') id: string) {
    return { id };
  }

  @Sse('events')
  @SseChannel('job:{id}')
  @SkipThrottle()
  events() {}
}

@Module({
  imports: [
    ThrottlerModule.forRoot([{ ttl: seconds(60), limit: 20 }]),
    SseModule.forRoot({ limits: { connectionsPerClient: 10 } }),
  ],
  controllers: [JobsController],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
})
export class AppModule {}
