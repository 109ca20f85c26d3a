import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Its stdin is a pipe that the operating system closes when we end, in whatever way: Ctrl-C,
// a crash, SIGKILL. It then ends the server whose number is in the file `pid` and clears up.
const REAPER = `
trap '' INT TERM HUP
read -r _
if read -r signal pid < "$1/pid"; then
  kill -"$signal" "$pid"
  tries=0
  while kill -0 "$pid" && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
rm -rf "$1"
`;

/** A file system in memory that Linux has. */
const MEMORY = '/dev/shm';
/** So many bytes must be free there: containers often have 64 MB. */
const FREE_BYTES = 3 * 2 ** 30;

/**
 * Where servers keep their files. Postgres creates a database in an eighth of the work in memory,
 * and a Cluster of Redis does not wait for its disk. `TMPDIR` decides where it is set.
 */
export async function serversParent(): Promise<string> {
  if (process.env['TMPDIR'] !== undefined || process.platform !== 'linux') return tmpdir();
  try {
    const { bavail, bsize } = await statfs(MEMORY);
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n');
    // The programs of a server may be copied there.
    const options = mounts.map((line) => line.split(' ')).find(([, path]) => path === MEMORY)?.[3];
    const mayRun = options?.split(',').includes('noexec') === false;
    return mayRun && bavail * bsize >= FREE_BYTES ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}

/**
 * A temporary folder for a server's files. Server and folder are gone when this process is,
 * even if it has no time to clear up.
 */
export class ServerFolder {
  private constructor(
    readonly path: string,
    private readonly reaper: ChildProcess,
  ) {}

  /**
   * Creates the folder in memory where there is room, or below the system's temporary folder.
   *
   * @param onDisk true where the speed of the disk is part of what is measured. Default: false
   */
  static async create(name: string, onDisk = false): Promise<ServerFolder> {
    if (process.platform === 'win32') {
      throw new Error(
        'Servers for tests and the sample cannot be started on Windows. ' +
          'Set DATABASE_URL and REDIS_URL to servers of your own, or use WSL.',
      );
    }
    const parent = onDisk ? tmpdir() : await serversParent();
    const path = await mkdtemp(join(parent, `nestjs-sse-${name}-`));
    const reaper = spawn('/bin/sh', ['-c', REAPER, 'reaper', path], {
      cwd: '/',
      // A session of its own, so that a terminal's Ctrl-C does not reach it.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    reaper.unref();
    (reaper.stdin as unknown as { unref(): void }).unref();
    return new ServerFolder(path, reaper);
  }

  /** Names the server that is to end with this process, and the signal that ends it. */
  guard(pid: number, signal: 'QUIT' | 'KILL'): void {
    writeFileSync(join(this.path, 'pid'), `${signal} ${pid}\n`);
  }

  /** The server has ended: its number may soon belong to another process. */
  async release(): Promise<void> {
    await rm(join(this.path, 'pid'), { force: true });
  }

  /** Removes the folder, after ending a server that is still guarded. */
  async remove(): Promise<void> {
    if (this.reaper.exitCode === null && this.reaper.signalCode === null) {
      this.reaper.ref();
      const exited = new Promise((resolve) => this.reaper.once('exit', resolve));
      this.reaper.stdin?.end();
      await exited;
    }
    // Ctrl-C may have ended the reaper before it had left our process group.
    await rm(this.path, { recursive: true, force: true });
  }
}
