import { Controller, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, Transport } from '@nestjs/microservices';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { channelName, SseChannel, SseModule, SseService } from 'nestjs-sse-channels';

const ORDER = 'order:{id}';

interface Order {
  readonly id: string;
  readonly status: string;
}

@Controller()
class OrdersController {
  constructor(private readonly sse: SseService) {}

  /** Answers once the broker has the event. Nobody hears why an @EventPattern() failed. */
  @MessagePattern('order.changed')
  async changed(@Payload() order: Order): Promise<string> {
    return this.sse.send(channelName(ORDER, { id: order.id }), order, { type: 'changed' });
  }

  @Sse('orders/:id/events')
  @SseChannel(ORDER)
  events() {}
}

@Module({
  imports: [
    SseModule.forRootAsync({
      useFactory: () => ({ broker: 'redis', redis: process.env['REDIS_URL'] }),
    }),
  ],
  controllers: [OrdersController],
})
export class AppModule {}

/** Streams over HTTP, and takes messages over TCP. */
export async function createHybrid(port: number) {
  const app = await NestFactory.create(AppModule);
  app.connectMicroservice<MicroserviceOptions>({ transport: Transport.TCP, options: { port } });
  await app.startAllMicroservices();
  return app;
}

/** Takes messages only. The streams are those of other instances, which the broker reaches. */
export async function createMicroservice(port: number) {
  const options: MicroserviceOptions = { transport: Transport.TCP, options: { port } };
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, options);
  await app.listen();
  return app;
}
