import { Controller, Get, Module, Sse } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { SseChannel, SseModule } from 'nestjs-sse-channels';

@Controller('orders')
class OrdersController {
  @Get()
  all() {
    return [];
  }

  /** GET /tenants/red/orders/events */
  @Sse('events')
  @SseChannel('tenant:{tenant}:orders')
  events() {}
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

@Module({
  imports: [
    SseModule.forRoot(),
    OrdersModule,
    RouterModule.register([{ path: 'tenants/:tenant', module: OrdersModule }]),
  ],
})
export class AppModule {}
