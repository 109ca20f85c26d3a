import 'reflect-metadata';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Controller, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseChannel, SseModule, SseService } from '../../lib/index.js';
import { SseInspectorModule } from '../../lib/inspector/index.js';

/** How the server is to be loaded. */
export interface Load {
  readonly channels: number;
  readonly eventsPerSecond: number;
}

/** What a stretch of time took: CPU in ms, and the longest turns of the event loop, in ms. */
export interface Stretch {
  readonly cpu: number;
  readonly events: number;
  readonly p99: number;
  readonly longest: number;
}

@Controller()
class ChannelsController {
  @Sse('channels/:n')
  @SseChannel('channel:{n}')
  channel() {}
}

@Module({
  imports: [
    SseModule.forRoot({ heartbeat: 0, drainTimeout: 0 }),
    SseInspectorModule.forRoot({ guards: 'none' }),
  ],
  controllers: [ChannelsController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
const sse = app.get(SseService);
const [channels, eventsPerSecond] = process.argv.slice(2).map(Number) as [number, number];
const DATA = 'x'.repeat(200);
const PERIOD_MS = 10;

/** Each channel has its turn. */
function sendFor(ms: number): Promise<number> {
  return new Promise((resolve) => {
    const began = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const passed = Math.min(performance.now() - began, ms);
      for (; sent < (passed * eventsPerSecond) / 1_000; sent++) {
        void sse.send(`channel:${sent % channels}`, DATA);
      }
      if (passed === ms) {
        clearInterval(timer);
        resolve(sent);
      }
    }, PERIOD_MS);
  });
}

async function stretch(ms: number): Promise<Stretch> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const before = process.cpuUsage();
  const events = await sendFor(ms);
  const { user, system } = process.cpuUsage(before);
  delay.disable();
  return {
    cpu: (user + system) / 1_000,
    events,
    p99: delay.percentile(99) / 1e6,
    longest: delay.max / 1e6,
  };
}

process.on('message', (message: number | 'connections') => {
  if (message === 'connections') {
    process.send!(sse.stats().connections);
  } else {
    void stretch(message).then((result) => process.send!(result));
  }
});
process.send!(await app.getUrl());
