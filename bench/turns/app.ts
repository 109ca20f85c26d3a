import 'reflect-metadata';
import { Controller, Module, Sse, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { SseService } from '../../lib/index.js';

/**
 * The application that is measured: what it does is asked for by messages, and each answer
 * tells the longest turn of its event loop meanwhile.
 */

/** The build to measure: this one, or that of another commit. */
const lib = (await import(process.env['LIB']!)) as typeof import('../../lib/index.js');
const { SseChannel, SseModule } = lib;

class NewsController {
  news(): void {}
  room(): void {}
}
function endpoint(name: 'news' | 'room', path: string, channel: string): void {
  const descriptor = Object.getOwnPropertyDescriptor(NewsController.prototype, name)!;
  SseChannel(channel)(NewsController.prototype, name, descriptor);
  Sse(path)(NewsController.prototype, name, descriptor);
  Object.defineProperty(NewsController.prototype, name, descriptor);
}
endpoint('news', 'news', 'news');
endpoint('room', 'rooms/:id', 'room:{id}');
Controller()(NewsController);

class AppModule {}
Module({
  imports: [
    SseModule.forRoot({
      retain: { events: 200_000, bytes: 512 * 1_048_576 },
      limits: { channels: 100_000, eventSize: 4 * 1_048_576 },
      linger: 600_000,
      drainTimeout: 30_000,
    }),
  ],
  controllers: [NewsController as Type],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
const sse = app.get<SseService>(lib.SseService);

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What can be asked for. Each sends in turns that are short themselves. */
const TASKS: Record<string, (options: { count: number; size: number }) => Promise<unknown>> = {
  /** Events of the channel that everybody reads. */
  async send({ count, size }) {
    const data = 'x'.repeat(size);
    for (let sent = 0; sent < count; sent++) {
      void sse.send('news', data);
      if (sent % 1_000 === 999) await nextTurn();
    }
  },
  /** Channels that nobody has read, one event each. */
  async open({ count }) {
    for (let sent = 0; sent < count; sent++) {
      void sse.send(`opened ${sent} ${Math.random()}`, 'x');
      if (sent % 100 === 99) await nextTurn();
    }
  },
  async close() {
    await app.close();
  },
  async nothing() {},
};

const delay = monitorEventLoopDelay({ resolution: 1 });

process.on('message', (message: { task: string; count: number; size: number }) => {
  if (message.task === 'longest') {
    delay.disable();
    const { user, system } = process.cpuUsage();
    const [longest, p99] = [delay.max / 1e6, delay.percentile(99) / 1e6];
    process.send!({ longest, p99, cpu: (user + system) / 1e3 });
    return;
  }
  void (async () => {
    // Whatever came before is no longer in the loop.
    await new Promise((resolve) => setTimeout(resolve, 200));
    delay.reset();
    delay.enable();
    await TASKS[message.task]!(message);
    process.send!({ done: message.task });
  })();
});

process.send!({ port: Number(new URL(await app.getUrl()).port) });
