import { Controller, Module, Sse } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { SseChannel, SseModule, type SseModuleOptions } from 'nestjs-sse-channels';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }),
    SseModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService): SseModuleOptions => {
        const redis = config.get<string>('REDIS_URL');
        return {
          // Without Redis, a developer's machine has channels within one process.
          ...(redis && { redis, broker: 'redis' }),
          // The environment holds texts, and options are numbers.
          limits: { connections: Number(config.get('SSE_CONNECTIONS', 10_000)) },
        };
      },
    }),
  ],
  controllers: [NewsController],
})
export class AppModule {}
