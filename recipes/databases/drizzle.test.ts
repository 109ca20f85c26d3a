import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import pg from 'pg';
import type { PostgresServer } from '../../test/support/postgres.js';
import { AppModule } from './drizzle.js';
import { checkOrders, startApp, startDatabase } from './support/orders.js';

let server: PostgresServer;
before(async () => (server = await startDatabase()));
after(() => server.stop());

/** What `npx nestjs-sse-channels` prints. */
function command(...args: string[]): string {
  const require = createRequire(import.meta.url);
  const cli = join(require.resolve('nestjs-sse-channels/package.json'), '../dist/cli.js');
  return execFileSync(process.execPath, [cli, ...args], { encoding: 'utf8' });
}

/** Writes migrations as `drizzle-kit generate` and `drizzle-kit generate --custom` do. */
function writeMigrations(folder: string, migrations: Record<string, string>): void {
  mkdirSync(join(folder, 'meta'));
  const entries = Object.entries(migrations).map(([tag, sql], idx) => {
    writeFileSync(join(folder, `${tag}.sql`), sql);
    return { idx, version: '7', when: 1_764_000_000_000 + idx, tag, breakpoints: true };
  });
  const journal = { version: '7', dialect: 'postgresql', entries };
  writeFileSync(join(folder, 'meta/_journal.json'), JSON.stringify(journal));
}

it('Drizzle sends events with its transactions, and its migration creates the trigger', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-sse-drizzle-'));
  try {
    writeMigrations(folder, {
      '0000_orders': `create table "orders" ("id" serial primary key, "item" text not null, "status" text default 'new' not null);`,
      '0001_events':
        command('sql', '--event-table') +
        command(
          ...'sql --durable --table orders --channel order:{id} --events update,delete'.split(' '),
        ),
    });
    const pool = new pg.Pool({ connectionString: server.url });
    await migrate(drizzle({ client: pool }), { migrationsFolder: folder });
    await pool.end();
  } finally {
    rmSync(folder, { recursive: true });
  }
  const app = await startApp(AppModule);
  try {
    await checkOrders(app);
  } finally {
    await app.close();
  }
});
