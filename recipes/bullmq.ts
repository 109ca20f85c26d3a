import {
  Controller,
  Delete,
  HttpCode,
  Injectable,
  Logger,
  Module,
  Param,
  Post,
  Sse,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Queue, Worker } from 'bullmq';
import { channelName, SseChannel, SseModule, SseService } from 'nestjs-sse-channels';
import { setTimeout as sleep } from 'node:timers/promises';

const IMPORT = 'import:{id}';
const QUEUE = 'imports';
const url = process.env['REDIS_URL']!;

/** Imports rows, and tells how far it is. */
async function* importRows(id: string, signal: AbortSignal) {
  for (const percent of [0, 25, 50, 75, 100]) {
    await sleep(20, undefined, { signal });
    yield { type: 'progress', data: { id, percent } };
  }
}

/** In a process with HTTP, or in one of its own: the channel is the same on every instance. */
@Injectable()
export class ImportWorker implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(ImportWorker.name);
  private worker: Worker<{ id: string }> | undefined;

  constructor(private readonly sse: SseService) {}

  onApplicationBootstrap() {
    this.worker = new Worker(QUEUE, ({ data }) => this.work(data.id), { connection: { url } });
    this.worker.on('error', (error) => this.logger.error(error.message));
  }

  async onModuleDestroy() {
    await this.worker?.close();
  }

  private async work(id: string): Promise<void> {
    // A job that is tried again begins its run anew.
    const run = await this.sse.run(
      channelName(IMPORT, { id }),
      (signal) => importRows(id, signal),
      { replace: true },
    );
    const { reason, error } = await run.done;
    if (reason !== 'completed' && reason !== 'stopped') {
      // The queue knows when to try again.
      throw error ?? new Error(`The import is over: ${reason}`);
    }
  }
}

@Controller('imports')
class ImportsController implements OnModuleDestroy {
  private readonly queue = new Queue<{ id: string }>(QUEUE, { connection: { url } });

  constructor(private readonly sse: SseService) {}

  @Post(':id')
  @HttpCode(202)
  async begin(@Param('id') id: string) {
    await this.queue.add('import', { id }, { attempts: 3 });
  }

  @Sse(':id/events')
  @SseChannel(IMPORT, { run: true })
  events() {}

  @Delete(':id')
  async stop(@Param('id') id: string) {
    return { stopped: await this.sse.stop(channelName(IMPORT, { id })) };
  }

  async onModuleDestroy() {
    await this.queue.close();
  }
}

@Module({
  imports: [SseModule.forRoot({ broker: 'redis', redis: url })],
  controllers: [ImportsController],
  providers: [ImportWorker],
})
export class AppModule {}
