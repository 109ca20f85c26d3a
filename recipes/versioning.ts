import { Controller, Module, Sse, VersioningType } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseChannel, SseEvents, SseModule, type SseEvent } from 'nestjs-sse-channels';
import { map, type Observable } from 'rxjs';

interface Order {
  readonly id: number;
  readonly price: { readonly amount: number; readonly currency: string };
}

/** Both versions stream one channel; the first one in the form that it has always had. */
@Controller({ path: 'orders', version: '1' })
class OrdersV1Controller {
  @Sse('events')
  @SseChannel('orders')
  events(@SseEvents() events$: Observable<SseEvent<Order>>) {
    return events$.pipe(
      map(({ data: { id, price }, ...event }) => ({ ...event, data: { id, price: price.amount } })),
    );
  }
}

@Controller({ path: 'orders', version: '2' })
class OrdersV2Controller {
  @Sse('events')
  @SseChannel('orders')
  events() {}
}

@Module({
  imports: [SseModule.forRoot()],
  controllers: [OrdersV1Controller, OrdersV2Controller],
})
export class AppModule {}

export async function createApp() {
  const app = await NestFactory.create(AppModule);
  app.enableVersioning({ type: VersioningType.URI });
  return app;
}
