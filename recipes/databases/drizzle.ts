import {
  Body,
  ConflictException,
  Controller,
  Injectable,
  Module,
  Param,
  Patch,
  Post,
  Sse,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { and, eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { pgTable, serial, text } from 'drizzle-orm/pg-core';
import { SseChannel, SseModule, SseService } from 'nestjs-sse-channels';
import pg from 'pg';

export const orderTable = pgTable('orders', {
  id: serial().primaryKey(),
  item: text().notNull(),
  status: text().notNull().default('new'),
});

@Injectable()
class Database implements OnApplicationShutdown {
  private readonly pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
  readonly db = drizzle({ client: this.pool });

  onApplicationShutdown() {
    return this.pool.end();
  }
}

type Transaction = Parameters<Parameters<Database['db']['transaction']>[0]>[0];

/** What `send()` takes: something that runs SQL with $1, $2, … within the transaction. */
function clientOf(tx: Transaction) {
  return {
    query(statement: string, values: readonly unknown[]) {
      const [first = '', ...rest] = statement.split(/\$\d+/);
      const parts = rest.flatMap((part, index) => [sql.param(values[index]), sql.raw(part)]);
      return tx.execute(sql.join([sql.raw(first), ...parts]));
    },
  };
}

@Injectable()
class Orders {
  constructor(
    private readonly database: Database,
    private readonly sse: SseService,
  ) {}

  /** The event is part of the transaction: it is sent when that commits, and only then. */
  place(item: string) {
    return this.database.db.transaction(async (tx) => {
      const [order] = await tx.insert(orderTable).values({ item }).returning();
      await this.sse.send('orders', order, { type: 'placed', transaction: clientOf(tx) });
      const isSoldOut = and(eq(orderTable.item, item), eq(orderTable.status, 'sold out'));
      if ((await tx.$count(orderTable, isSoldOut)) > 0) {
        throw new ConflictException(`There is no ${item} left.`);
      }
      return order;
    });
  }

  /** Sends nothing: the trigger does, whoever writes to the table. */
  async setStatus(id: number, status: string): Promise<void> {
    await this.database.db.update(orderTable).set({ status }).where(eq(orderTable.id, id));
  }
}

@Controller('orders')
class OrdersController {
  constructor(private readonly orders: Orders) {}

  @Post()
  place(@Body() { item }: { item: string }) {
    return this.orders.place(item);
  }

  @Patch(':id')
  setStatus(@Param('id') id: string, @Body() { status }: { status: string }) {
    return this.orders.setStatus(Number(id), status);
  }

  @Sse('events')
  @SseChannel('orders')
  events() {}

  @Sse(':id/events')
  @SseChannel('order:{id}')
  eventsOfOne() {}
}

@Module({
  imports: [
    SseModule.forRootAsync({
      useFactory: () => ({
        postgres: process.env['DATABASE_URL'],
        broker: 'event-table',
        failFast: true,
      }),
    }),
  ],
  controllers: [OrdersController],
  providers: [Database, Orders],
})
export class AppModule {}
