import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from './project-root.js';

const run = promisify(execFile);

/** The program of a Redis or Valkey server. */
export interface RedisBinary {
  readonly command: string;
  /** Where its libraries are, when they are not the system's. */
  readonly libraryPath?: string;
}

let found: Promise<RedisBinary> | undefined;

/** The variable that names the program to test with, such as one built from another version. */
const PROGRAM_VARIABLE = 'REDIS_SERVER';

/**
 * Finds a Redis or Valkey server, and fetches the system's package where there is none. The
 * variable `REDIS_SERVER` names the program to take instead.
 */
export function findRedis(): Promise<RedisBinary> {
  return (found ??= look());
}

async function look(): Promise<RedisBinary> {
  const named = process.env[PROGRAM_VARIABLE];
  if (named) {
    const command = resolve(named);
    if (await isProgram(command)) return { command };
    throw new Error(`${PROGRAM_VARIABLE} is "${named}", which is not a program.`);
  }
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const command = join(folder, name);
      if (folder && (await isProgram(command))) return { command };
    }
  }
  const unpacked = join(projectRoot, '.cache', `redis-${process.arch}`);
  return (await inFolder(unpacked)) ?? (await fetch(unpacked));
}

async function inFolder(folder: string): Promise<RedisBinary | undefined> {
  const command = join(folder, 'usr', 'bin', 'redis-server');
  if (!(await isProgram(command))) return undefined;
  const lib = join(folder, 'usr', 'lib');
  const triplet = (await readdir(lib)).find((name) => name.includes('-linux-gnu'));
  return { command, libraryPath: join(lib, triplet ?? '') };
}

/** Unpacks the packages beside `folder` and moves them there in one step, first come first served. */
async function fetch(folder: string): Promise<RedisBinary> {
  await mkdir(join(folder, '..'), { recursive: true });
  const scratch = await mkdtemp(`${folder}-`);
  try {
    await run('apt-get', ['--version']);
    let packages: string[];
    try {
      packages = await missingPackages();
      await run('apt-get', ['download', ...packages], { cwd: scratch });
    } catch {
      await run('apt-get', ['update']);
      packages = await missingPackages();
      await run('apt-get', ['download', ...packages], { cwd: scratch });
    }
    const unpacked = join(scratch, 'root');
    for (const file of await readdir(scratch)) {
      if (file.endsWith('.deb')) await run('dpkg', ['-x', file, unpacked], { cwd: scratch });
    }
    await rename(unpacked, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    const binary = await inFolder(folder);
    if (!binary) throw new Error(`the packages hold no redis-server (${packages.join(' ')})`);
    return binary;
  } catch (cause) {
    throw new Error(
      'The tests need a real Redis and found none: no REDIS_URL, no redis-server or ' +
        'valkey-server on the PATH, and "apt-get download redis-server" did not work ' +
        `(${(cause as Error).message.trim()}). Install Redis 7 or Valkey, ` +
        'for example: apt-get install redis-server · brew install redis',
      { cause },
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The server's packages and what they depend on, as far as it is not on the system. */
async function missingPackages(): Promise<string[]> {
  const { stdout } = await run('apt-cache', ['depends', 'redis-server', 'redis-tools'], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  const libraries = [...stdout.matchAll(/^ {2}Depends: (lib\S+)$/gm)].map((match) => match[1]!);
  if (libraries.length === 0) throw new Error('The package redis-server is unknown to apt.');
  const missing: string[] = [];
  for (const name of new Set(libraries)) {
    const status = await run('dpkg-query', ['-W', '-f=${Status}', name]).catch(() => undefined);
    if (!status?.stdout.includes('install ok installed')) missing.push(name);
  }
  return ['redis-server', 'redis-tools', ...missing];
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
