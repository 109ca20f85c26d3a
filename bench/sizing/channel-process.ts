import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { SseModule, SseService } from '../../lib/index.js';
import { serve } from '../protocol.js';
import type { ChannelCommands } from './commands.js';

const app = await NestFactory.createApplicationContext(
  SseModule.forRoot({ linger: 600_000, drainTimeout: 0, limits: { channels: Infinity } }),
  { logger: ['error', 'warn'] },
);
const sse = app.get(SseService);
let named = 0;

function held(): number {
  for (let pass = 0; pass < 3; pass++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

serve<ChannelCommands>({
  fill: async ({ channels, events, size }) => {
    for (let channel = 0; channel < channels; channel++) {
      const name = `room:${named++}`;
      for (let event = 0; event < events; event++) {
        // Texts of their own, as `JSON.stringify()` makes them.
        void sse.send(name, JSON.stringify({ text: String(event).padEnd(size - 11, 'x') }));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { bytes: held() };
  },
});
