import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { channelName, SseModule, SseService } from 'nestjs-sse-channels';

@Injectable()
class Import {
  constructor(private readonly sse: SseService) {}

  async run(id: string): Promise<void> {
    const channel = channelName('import:{id}', { id });
    for (const percent of [0, 50, 100]) {
      await this.sse.send(channel, { percent }, { type: 'progress' });
    }
    await this.sse.complete(channel);
  }
}

@Module({
  imports: [
    SseModule.forRootAsync({
      useFactory: () => ({
        broker: 'redis',
        redis: process.env['REDIS_URL'],
        failFast: true,
      }),
    }),
  ],
  providers: [Import],
})
class WorkerModule {}

/** node worker.js 7 */
const worker = await NestFactory.createApplicationContext(WorkerModule, { logger: ['error'] });
try {
  await worker.get(Import).run(process.argv[2] ?? '');
} finally {
  // Gives the connection back. Otherwise the process does not end.
  await worker.close();
}
