import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { findRedis } from './redis-binary.js';
import { ServerFolder } from './server-folder.js';
import { ServerProcess } from './server-process.js';

/** Options of {@link startRedis}. */
export interface RedisServerOptions {
  /**
   * Arguments of the command line, such as `['--appendonly', 'yes']`, `['--cluster-enabled',
   * 'yes']` or `['--sentinel']`. They come after, and win over, the configuration file's lines.
   */
  args?: readonly string[];
  /** Lines added to the configuration file, such as `sentinel monitor main 127.0.0.1 7000 1`. */
  config?: readonly string[];
  /** The loopback port. Default: a free one. Its Cluster bus port, 10,000 above, is free as well. */
  port?: number;
}

/** A Redis or Valkey server of our own, started without persistence unless `args` ask for it. */
export interface RedisServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The server's working folder: its dump, append-only files and `nodes.conf`. */
  readonly dir: string;
  readonly pid: number;
  /** What the server has logged since its last start. */
  readonly log: string;
  /** Stops the server in order, with a last save if it persists; its files stay for `start`. */
  stopServer(): Promise<void>;
  /** Ends the server with SIGKILL; its files stay for `start`. */
  kill(): Promise<void>;
  /** Starts the ended server again, on the same port with the same files. */
  start(): Promise<void>;
  /** Stops the server for good and removes its files. */
  stop(): Promise<void>;
}

const READY = /Ready to accept connections|Sentinel ID is|Sentinel new ID is/;

/** Starts a Redis server on the loopback interface; it ends with this process at the latest. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await ServerFolder.create('redis');
  try {
    return await startIn(folder, options);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

async function startIn(folder: ServerFolder, options: RedisServerOptions): Promise<RedisServer> {
  const { command, libraryPath } = await findRedis();
  const dir = folder.path;
  const file = join(dir, 'redis.conf');

  const start = () => {
    return ServerProcess.start({
      command,
      args: [file, ...(options.args ?? [])],
      onSpawn: (pid) => folder.guard(pid, 'KILL'),
      cwd: dir,
      env: libraryPath ? { ...process.env, LD_LIBRARY_PATH: libraryPath } : process.env,
      ready: READY,
    });
  };
  // Sentinel and Cluster rewrite the file, so it is written once and kept over restarts.
  const configure = (port: number) => {
    const lines = [`port ${port}`, 'bind 127.0.0.1', `dir "${dir}"`, 'save ""', 'appendonly no'];
    return writeFile(file, [...lines, ...(options.config ?? []), ''].join('\n'));
  };

  let port = options.port ?? (await freePort());
  let server: ServerProcess;
  await configure(port);
  try {
    server = await start();
  } catch (error) {
    // Another process may have taken the free port before the server did.
    if (options.port !== undefined || !/already in use/.test(String(error))) throw error;
    port = await freePort();
    await configure(port);
    server = await start();
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    await server.end(signal);
    await folder.release();
  };

  return {
    url: `redis://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    dir,
    get pid() {
      return server.pid;
    },
    get log() {
      return server.log;
    },
    stopServer: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async start() {
      if (!server.running) server = await start();
    },
    async stop() {
      await end('SIGTERM');
      await folder.remove();
    },
  };
}
