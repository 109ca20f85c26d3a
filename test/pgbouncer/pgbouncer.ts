import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../support/free-port.js';
import { serverUser } from '../support/postgres-binaries.js';
import { ServerFolder } from '../support/server-folder.js';
import { ServerProcess } from '../support/server-process.js';

/** A PgBouncer of our own, in front of a Postgres server. */
export interface PgBouncer {
  /** The URL of the database that leads through the pooler. */
  readonly url: string;
  /** Ends it at once, with all of its connections. */
  kill(): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
  /** Ends it for good and removes its files. */
  stop(): Promise<void>;
}

/**
 * Starts a PgBouncer on the loopback interface; it ends with this process at the latest.
 *
 * @param size how many connections to the server there are at most
 * @param mode when a client gives its connection back. Default: after each transaction
 */
export async function startPgBouncer(
  target: string,
  size: number,
  mode: 'transaction' | 'session' = 'transaction',
): Promise<PgBouncer> {
  const program = process.env['PGBOUNCER'];
  if (!program) throw new Error('No PgBouncer: run these tests with "npm run test:pgbouncer".');
  const folder = await ServerFolder.create('pgbouncer');
  const server = new URL(target);
  const port = await freePort();
  const users = join(folder.path, 'users.txt');
  const config = join(folder.path, 'pgbouncer.ini');
  await writeFile(users, `"${server.username}" "${server.password}"\n`, { mode: 0o600 });
  await writeFile(
    config,
    `[databases]
* = host=${server.hostname} port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = ${size}
max_client_conn = 500
`,
  );
  await chmod(folder.path, 0o755);
  // It refuses to run as root, as Postgres does.
  const user = await serverUser();
  if (user) for (const file of [users, config]) await chown(file, user.uid, user.gid);

  let running: ServerProcess;
  const start = async (): Promise<void> => {
    running = await ServerProcess.start({
      command: program,
      args: [config],
      cwd: folder.path,
      ...user,
      onSpawn: (pid) => folder.guard(pid, 'KILL'),
      ready: /process up/,
    });
  };
  const kill = async (): Promise<void> => {
    await running.end('SIGKILL');
    await folder.release();
  };
  try {
    await start();
  } catch (error) {
    await folder.remove();
    throw error;
  }
  const through = new URL(target);
  through.port = String(port);
  return {
    url: through.href,
    kill,
    start,
    async stop() {
      await kill();
      await folder.remove();
    },
  };
}
