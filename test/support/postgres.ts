import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { findPostgres } from './postgres-binaries.js';
import { copyPrimary, type Primary } from './postgres-standby.js';
import { initialise } from './postgres-template.js';
import { ServerFolder } from './server-folder.js';
import { ServerProcess } from './server-process.js';

/** Options of {@link startPostgres}. */
export interface PostgresOptions {
  /** Settings of `postgresql.conf`, such as `{ max_connections: '20' }`. */
  settings?: Record<string, string>;
  /** True to write as safely as a production server (`fsync`). Default false: fast. */
  durable?: boolean;
  /** True to keep the data on disk also where there is room in memory. Default: false. */
  onDisk?: boolean;
  /** The loopback port. Default: a free one. */
  port?: number;
  /** Makes it a streaming standby of this server. Default: a server with databases of its own. */
  standbyOf?: Primary;
}

/** A Postgres server of our own. */
export interface PostgresServer {
  /** Superuser's URL of the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly dataDir: string;
  /** What the server has logged since its last start. */
  readonly log: string;
  /** Ends the server's sessions and stops it; the data stays for {@link startServer}. */
  stopServer(): Promise<void>;
  /** Stops the server without letting it finish anything, as a crash does; the data stays. */
  killServer(): Promise<void>;
  /** Starts the stopped server again, on the same port with the same data. */
  startServer(settings?: Record<string, string>): Promise<void>;
  /** Stops the server for good and removes its files. */
  stop(): Promise<void>;
}

const FAST = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  // The data may be in memory.
  max_wal_size: '256MB',
};
const BASE = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '32MB',
  max_prepared_transactions: '20',
  log_line_prefix: '%m [%p] ',
};
const ENV = { ...process.env, LC_ALL: 'C' };

/** Starts a Postgres server on the loopback interface; it ends with this process at the latest. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const folder = await ServerFolder.create('postgres', options.onDisk);
  try {
    return await startIn(folder, options);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

async function startIn(folder: ServerFolder, options: PostgresOptions): Promise<PostgresServer> {
  const { standbyOf } = options;
  const binaries = await findPostgres(folder.path);
  const { postgres, user } = binaries;
  const dataDir = join(folder.path, 'data');
  await chmod(folder.path, 0o755);
  const password = standbyOf
    ? await copyPrimary(standbyOf, dataDir, user)
    : await initialise(binaries, dataDir);

  const settings = { ...BASE, ...(options.durable ? {} : FAST), ...options.settings };
  const start = (port: number, more: Record<string, string> = {}) => {
    return ServerProcess.start({
      command: postgres,
      args: [
        '-D',
        dataDir,
        '-p',
        String(port),
        ...Object.entries({ ...settings, ...more }).flatMap(([k, v]) => ['-c', `${k}=${v}`]),
      ],
      onSpawn: (pid) => folder.guard(pid, 'QUIT'),
      cwd: dataDir,
      env: ENV,
      ...user,
      // A standby is ready for "read only", or in later versions "read-only", connections.
      ready: /database system is ready to accept (read.only )?connections/,
    });
  };
  const end = async (signal: 'SIGINT' | 'SIGQUIT') => {
    await server.end(signal);
    await folder.release();
  };

  let port = options.port ?? (await freePort());
  let server: ServerProcess;
  try {
    server = await start(port);
  } catch (error) {
    // Another process may have taken the free port before the server did.
    if (options.port !== undefined || !/Address already in use/.test(String(error))) throw error;
    port = await freePort();
    server = await start(port);
  }

  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    port,
    user: 'postgres',
    password,
    dataDir,
    get log() {
      return server.log;
    },
    stopServer: () => end('SIGINT'),
    killServer: () => end('SIGQUIT'),
    async startServer(more) {
      if (!server.running) server = await start(port, more);
    },
    async stop() {
      await end('SIGINT');
      await folder.remove();
    },
  };
}
