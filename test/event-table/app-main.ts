import 'reflect-metadata';
import { Controller, Module, Sse } from '@nestjs/common';
import { SseChannel, SseModule } from '../../lib/index.js';
import { serveApp } from '../support/serve-app.js';

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

await serveApp(AppModule, Number(process.env['PORT']));
