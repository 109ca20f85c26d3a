import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Controller, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseChannel, SseModule } from '../../lib/index.js';

/** The application under measurement, in a process of its own: `/rows` streams the table's rows. */
@Controller()
class RowsController {
  @Sse('rows')
  @SseChannel('rows')
  rows() {}

  @Sse('past')
  @SseChannel('past')
  past() {}
}

@Module({
  imports: [
    SseModule.forRoot({
      postgres: process.env['POSTGRES'] ?? '',
      broker: 'event-table',
      eventTable: { install: true },
      failFast: true,
    }),
  ],
  controllers: [RowsController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
const { port } = app.getHttpServer().address() as AddressInfo;
console.log(`listening ${port}`);
process.on('SIGTERM', () => void app.close().then(() => process.exit()));
