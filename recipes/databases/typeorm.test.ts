import { getDataSourceToken } from '@nestjs/typeorm';
import { deepEqual } from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { DataSource } from 'typeorm';
import type { PostgresServer } from '../../test/support/postgres.js';
import { checkOrders, startApp, startDatabase } from './support/orders.js';
import { AppModule } from './typeorm.js';

let server: PostgresServer;
before(async () => (server = await startDatabase()));
after(() => server.stop());

it('TypeORM sends events with its transactions, and its migration creates the trigger', async () => {
  const app = await startApp(AppModule);
  try {
    await checkOrders(app);
    const database = app.get<DataSource>(getDataSourceToken());
    await database.undoLastMigration();
    const left = await database.query(
      `select relname from pg_class where relname in ('orders', 'event')
       union select nspname from pg_namespace where nspname = 'sse'`,
    );
    deepEqual(left, []);
  } finally {
    await app.close();
  }
});
