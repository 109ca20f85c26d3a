// An instance of an application with presence in a process of its own: prints its address, and ends
// on SIGTERM.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { SseModule } from '../../lib/index.js';
import { serveApp } from '../support/serve-app.js';
import { byHeader, RoomsController } from './rooms.js';

@Controller()
class AboutController {
  @Get('about')
  about(): { pid: number } {
    return { pid: process.pid };
  }
}

@Module({
  imports: [
    SseModule.forRoot({
      ...(JSON.parse(process.env['SSE_OPTIONS']!) as object),
      client: byHeader,
      retry: 50,
      drainTimeout: 100,
    }),
  ],
  controllers: [RoomsController, AboutController],
})
class AppModule {}

await serveApp(AppModule);
