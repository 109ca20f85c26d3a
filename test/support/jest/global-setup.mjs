// Jest loads this file with Node's own import, which does not know TypeScript by itself.
import '../../../scripts/typescript.mjs';

/** Starts the Postgres server that the test files share, and makes sure that there is a Redis. */
export default async function globalSetup() {
  if (!process.env.DATABASE_URL) {
    const { startPostgres } = await import('../postgres.ts');
    const { POSTGRES_URL_VARIABLE } = await import('../databases.ts');
    const server = await startPostgres();
    globalThis.stopSharedPostgres = () => server.stop();
    process.env[POSTGRES_URL_VARIABLE] = server.url;
    if (process.env.POSTGRES_HOME) console.error(/PostgreSQL [\d.]+/.exec(server.log)?.[0]);
  }
  if (!process.env.REDIS_URL) {
    const { findRedis } = await import('../redis-binary.ts');
    await findRedis();
  }
}
