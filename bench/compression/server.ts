import 'reflect-metadata';
import { Controller, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SseChannel, SseModule, SseService } from '../../lib/index.js';

/** The server of the benchmark, in a process of its own: `server.js none` or `server.js shared`. */
const compression = process.argv[2] as 'none' | 'shared';

/** What main.ts asks for. */
export interface Order {
  readonly bursts: number;
  readonly burst: number;
}

/** What it has cost: CPU in milliseconds. */
export interface Cost {
  readonly cpu: number;
}

@Controller()
class PricesController {
  @Sse('prices')
  @SseChannel('prices')
  prices() {}
}

@Module({
  imports: [SseModule.forRoot({ compression, heartbeat: 0, drainTimeout: 0 })],
  controllers: [PricesController],
})
class AppModule {}

/** An event of about 300 bytes whose values differ from one to the next. */
function price(number: number): string {
  const data = {
    id: number,
    symbol: ['EURUSD', 'GBPUSD', 'USDJPY'][number % 3],
    bid: (Math.random() * 2).toFixed(5),
    ask: (Math.random() * 2).toFixed(5),
    at: new Date(1_700_000_000_000 + number * 37).toISOString(),
    order: Math.random().toString(36).slice(2) + Math.random().toString(36).slice(2),
    state: ['open', 'filled', 'cancelled'][number % 3],
    text: '',
  };
  data.text = 'The order was changed by the desk, as its owner had asked for it on the phone'.slice(
    0,
    300 - JSON.stringify(data).length,
  );
  return JSON.stringify(data);
}

const app = await NestFactory.create(AppModule, new FastifyAdapter(), {
  logger: ['error', 'warn'],
});
await app.listen(0, '127.0.0.1');
const sse = app.get(SseService);
const tell = (message: unknown) => process.send!(message);
let sent = 0;
process.on('message', async ({ bursts, burst }: Order) => {
  const before = process.cpuUsage();
  for (let number = 0; number < bursts; number++) {
    for (let event = 0; event < burst; event++) {
      void sse.send('prices', price(sent++), { type: 'price' });
    }
    // So that each burst leaves by itself.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { user, system } = process.cpuUsage(before);
  tell({ cpu: (user + system) / 1_000 } satisfies Cost);
});
tell({ url: await app.getUrl() });
