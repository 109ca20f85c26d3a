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
} from '@nestjs/common';
import { InjectDataSource, TypeOrmModule } from '@nestjs/typeorm';
import {
  dropDurableTriggerSql,
  dropEventTableSql,
  durableTriggerSql,
  eventTableSql,
  SseChannel,
  SseModule,
  SseService,
  type DurableTriggerSqlOptions,
} from 'nestjs-sse-channels';
import {
  Column,
  DataSource,
  Entity,
  PrimaryGeneratedColumn,
  type MigrationInterface,
  type QueryRunner,
} from 'typeorm';

@Entity('orders')
export class Order {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column('text')
  item!: string;

  @Column('text', { default: 'new' })
  status!: string;
}

const TRIGGER: DurableTriggerSqlOptions = {
  table: 'orders',
  channel: 'order:{id}',
  events: ['update', 'delete'],
};

/** Creates the table, the event table, and a trigger that tells of each change of a row. */
export class Orders1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `create table orders (id serial primary key, item text not null, status text not null default 'new')`,
    );
    await runner.query(eventTableSql());
    await runner.query(durableTriggerSql(TRIGGER));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(dropDurableTriggerSql(TRIGGER));
    await runner.query(dropEventTableSql({ force: true })); // with its events
    await runner.query('drop table orders');
  }
}

@Injectable()
class Orders {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly sse: SseService,
  ) {}

  /** The event is part of the transaction: it is sent when that commits, and only then. */
  place(item: string): Promise<Order> {
    return this.database.transaction(async (manager) => {
      const order = await manager.save(Order, { item });
      await this.sse.send('orders', order, { type: 'placed', transaction: manager });
      if (await manager.existsBy(Order, { item, status: 'sold out' })) {
        throw new ConflictException(`There is no ${item} left.`);
      }
      return order;
    });
  }

  /** Sends nothing: the trigger does, whoever writes to the table. */
  async setStatus(id: number, status: string): Promise<void> {
    await this.database.getRepository(Order).update(id, { status });
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
    TypeOrmModule.forRootAsync({
      useFactory: () => ({
        type: 'postgres',
        url: process.env['DATABASE_URL'] ?? 'postgres://localhost/shop',
        entities: [Order],
        migrations: [Orders1764000000000],
        migrationsRun: true,
      }),
    }),
    SseModule.forRootAsync({
      useFactory: () => ({
        postgres: process.env['DATABASE_URL'],
        broker: 'event-table',
        failFast: true,
      }),
    }),
  ],
  controllers: [OrdersController],
  providers: [Orders],
})
export class AppModule {}
