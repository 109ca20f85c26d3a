import { BadRequestException, Body, Controller, Post, Sse } from '@nestjs/common';
import { SseChannel } from '../lib/index.js';
import { Orders } from './order.channel.js';
import { OrderStore, type Order } from './order.store.js';

/**
 * Rows of Postgres that must not get lost: the trigger writes each into the event table, within the
 * transaction. Nobody sees a row that is rolled back, and a client that returns misses nothing. A new
 * client receives the newest orders first.
 */
@Controller()
export class OrdersController {
  constructor(private readonly orders: OrderStore) {}

  @Sse('events/orders')
  @SseChannel(Orders, {
    source: 'event-table',
    /** The page shows these first, and each order that follows: it makes no second request. */
    snapshot(this: OrdersController) {
      return this.orders.newest(20);
    },
  })
  events() {}

  /** With `"rollback": true` the order is written, and then undone. */
  @Post('orders')
  async create(@Body() body: unknown): Promise<{ order: Order; committed: boolean }> {
    const { item, rollback = false } = (body ?? {}) as { item?: unknown; rollback?: unknown };
    if (typeof item !== 'string' || item.trim() === '' || item.includes('\0')) {
      throw new BadRequestException('Send a JSON object such as { "item": "tea" }.');
    }
    if (typeof rollback !== 'boolean') {
      throw new BadRequestException('"rollback" must be true or false.');
    }
    return { order: await this.orders.insert(item, !rollback), committed: !rollback };
  }
}
