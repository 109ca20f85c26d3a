// An instance with runs, of whichever version LIBRARY names, in a process of its own: prints its address,
// begins and stops runs and streams them, and ends on SIGTERM.
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Inject, Module, Param, Query, Sse } from '@nestjs/common';
import { serveApp } from '../support/serve-app.js';

/** What an instance knows of a run that it has begun. */
export interface OwnRun {
  /** How many chunks its source has emitted. */
  emitted: number;
  /** When its signal was aborted, by the system's clock, which all instances share; 0 before. */
  abortedAt: number;
  /** How it has ended; empty before. */
  reason: string;
}

const library = (await import(process.env['LIBRARY']!)) as typeof import('../../lib/index.js');
const { SseChannel, SseModule, SseService } = library;
type Service = InstanceType<typeof SseService>;

const { REDIS_URL: REDIS, POSTGRES_URL: POSTGRES } = process.env;
const system = REDIS
  ? {
      redis: REDIS,
      broker: 'redis' as const,
      // Comparisons would mend what does not come.
      redisStreams: { auditInterval: 600_000 },
    }
  : { postgres: POSTGRES!, broker: 'event-table' as const, eventTable: { install: true } };

@Controller()
class RunsController {
  private readonly runs = new Map<string, OwnRun>();

  constructor(@Inject(SseService) private readonly sse: Service) {}

  @Sse('chats/:id')
  @SseChannel('chat:{id}', { run: true })
  follow(): void {
    // The channel is all there is to it.
  }

  /** Begins a run of `count` chunks: `burst` of them at once, every so many milliseconds. */
  @Get('begin/:id')
  async begin(
    @Param('id') id: string,
    @Query()
    { count = '100', every = '10', burst = '1', lease = '10000', ...rest }: Record<string, string>,
  ): Promise<{ id: string }> {
    const own: OwnRun = { emitted: 0, abortedAt: 0, reason: '' };
    const run = await this.sse.run(
      `chat:${id}`,
      (signal) => {
        signal.addEventListener('abort', () => (own.abortedAt = Date.now()));
        return RunsController.numbers(own, Number(count), Number(every), Number(burst));
      },
      { lease: Number(lease), replace: 'replace' in rest },
    );
    this.runs.set(run.id, own);
    void run.done.then(({ reason }) => (own.reason = reason));
    return { id: run.id };
  }

  @Get('stop/:id')
  async stop(@Param('id') id: string): Promise<{ stopped: boolean; at: number }> {
    const stopped = await this.sse.stop(`chat:${id}`, { reason: 'by a user' });
    return { stopped, at: Date.now() };
  }

  @Get('own/:run')
  own(@Param('run') run: string): OwnRun {
    return this.runs.get(run)!;
  }

  private static async *numbers(own: OwnRun, count: number, every: number, burst: number) {
    // It does not look at the signal, so that nothing but the module keeps chunks out of an ended run.
    while (own.emitted < count) {
      yield `chunk ${++own.emitted}`;
      if (own.emitted % burst === 0) {
        await sleep(every);
      }
    }
  }
}

@Module({
  imports: [SseModule.forRoot({ ...system, failFast: true, retry: 50, drainTimeout: 20_000 })],
  controllers: [RunsController],
})
class AppModule {}

await serveApp(AppModule);
