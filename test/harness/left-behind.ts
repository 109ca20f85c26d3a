// Started by servers.test.ts as a process of its own, which is killed while its servers run.
import { startPostgres } from '../support/postgres.js';
import { startRedis } from '../support/redis.js';

const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
process.send?.({ dirs: [postgres.dataDir, redis.dir], ports: [postgres.port, redis.port] });
