// An instance of whichever version LIBRARY names, in a process of its own: prints its address, sends
// events while it is told to, and ends on SIGTERM.
import 'reflect-metadata';
import { Controller, Get, Inject, Module, Sse } from '@nestjs/common';
import { serveApp } from '../support/serve-app.js';

const library = (await import(process.env['LIBRARY']!)) as typeof import('../../lib/index.js');
const { SseChannel, SseModule, SseService } = library;
type Service = InstanceType<typeof SseService>;

const { REDIS_URL: REDIS, POSTGRES_URL: POSTGRES, BROKER: EVENT_TABLE } = process.env;
const system = REDIS
  ? { redis: REDIS, broker: 'redis' as const }
  : {
      postgres: POSTGRES!,
      // The older versions call it `postgres`.
      broker: EVENT_TABLE as 'event-table',
      eventTable: { install: true },
      failFast: true,
    };

@Controller()
class UpgradeController {
  private readonly sent: string[] = [];
  private readonly pending = new Set<Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private rejected = 0;

  constructor(@Inject(SseService) private readonly sse: Service) {}

  @Sse('channel')
  @SseChannel('jobs')
  channel(): void {
    // The channel is all there is to it.
  }

  @Sse('key')
  @SseChannel('job-key', { source: 'cache', interval: 50 })
  key(): void {
    // The key is all there is to it.
  }

  @Get('send')
  send(): object {
    let number = 0;
    this.timer = setInterval(() => {
      const text = `${process.env['NAME']} ${number++}`;
      const done = Promise.all([
        this.sse.send('jobs', text, number % 3 === 0 ? { type: 'third', id: `own-${text}` } : {}),
        ...(REDIS ? [this.sse.sendKey('job-key', text)] : []),
      ]).then(
        () => void this.sent.push(text),
        () => void this.rejected++,
      );
      this.pending.add(done);
      void done.finally(() => this.pending.delete(done));
    }, 10);
    return {};
  }

  /** Ends the sending, and tells what was sent and accepted. */
  @Get('sent')
  async allSent(): Promise<{ sent: string[]; rejected: number }> {
    clearInterval(this.timer);
    await Promise.all(this.pending);
    return { sent: this.sent, rejected: this.rejected };
  }
}

@Module({
  imports: [SseModule.forRoot({ ...system, retry: 50, drainTimeout: 200 })],
  controllers: [UpgradeController],
})
class AppModule {}

await serveApp(AppModule);
