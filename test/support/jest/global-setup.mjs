import { bundleApps } from '../../../scripts/bundle-apps.mjs';
import { compileApps } from '../../../scripts/compile-apps.mjs';

const COMPILED = '../../../dist-tests/test/support';

/** Compiles what child processes run, starts the Postgres server that the test files share, and makes sure that there is a Redis. */
export default async function globalSetup() {
  await compileApps();
  await bundleApps();
  if (!process.env.DATABASE_URL) {
    const { startPostgres } = await import(`${COMPILED}/postgres.js`);
    const { POSTGRES_URL_VARIABLE } = await import(`${COMPILED}/databases.js`);
    const server = await startPostgres();
    globalThis.stopSharedPostgres = () => server.stop();
    process.env[POSTGRES_URL_VARIABLE] = server.url;
    if (process.env.POSTGRES_HOME) console.error(/PostgreSQL [\d.]+/.exec(server.log)?.[0]);
  }
  if (!process.env.REDIS_URL) {
    const { findRedis } = await import(`${COMPILED}/redis-binary.js`);
    await findRedis();
  }
}
