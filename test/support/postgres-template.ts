import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chown, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresBinaries } from './postgres-binaries.js';
import { projectRoot } from './project-root.js';

const run = promisify(execFile);
const CACHE = join(projectRoot, '.cache');
const ENV = { ...process.env, LC_ALL: 'C' };

/**
 * Fills the folder with the data of a new server and resolves with the superuser's password.
 *
 * `initdb` takes two seconds of a processor, and its result is always the same: it runs once, and
 * later servers begin with a copy. They share its password.
 */
export async function initialise(binaries: PostgresBinaries, dataDir: string): Promise<string> {
  const template = join(CACHE, `postgres-${await digestOf(binaries)}`);
  const kept = await readFile(join(template, 'password'), 'utf8').catch(() => undefined);
  if (kept === undefined) {
    const password = randomBytes(12).toString('hex');
    await runInitdb(binaries, dataDir, password);
    await keep(template, dataDir, password);
    return password;
  }
  await copy(join(template, 'data'), dataDir);
  const { user } = binaries;
  if (user) await run('chown', ['-R', `${user.uid}:${user.gid}`, dataDir]);
  return kept;
}

/** Stands for one installation of one version: another one makes other data. */
async function digestOf({ postgres }: PostgresBinaries): Promise<string> {
  const { size, mtimeMs } = await stat(postgres);
  return createHash('sha1').update(`${size} ${mtimeMs}`).digest('hex').slice(0, 12);
}

/** Where the folder cannot be written, each server is set up by `initdb`. */
async function keep(template: string, dataDir: string, password: string): Promise<void> {
  let scratch: string | undefined;
  try {
    await mkdir(CACHE, { recursive: true });
    scratch = await mkdtemp(join(CACHE, 'postgres-new-'));
    await copy(dataDir, join(scratch, 'data'));
    await writeFile(join(scratch, 'password'), password, { mode: 0o600 });
    // In one step: another process may look for it, or make the same, at this moment.
    await rename(scratch, template);
  } catch {
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  }
}

/** Keeps the modes: Postgres refuses data that others may read. */
async function copy(from: string, to: string): Promise<void> {
  await run('cp', ['-Rp', from, to]);
}

async function runInitdb(
  { initdb, user }: PostgresBinaries,
  dataDir: string,
  password: string,
): Promise<void> {
  const passwordFile = `${dataDir}.password`;
  await mkdir(dataDir, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user) {
    await chown(dataDir, user.uid, user.gid);
    await chown(passwordFile, user.uid, user.gid);
  }
  await run(
    initdb,
    [
      `--pgdata=${dataDir}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
    ],
    { cwd: dataDir, env: ENV, ...user },
  );
  await rm(passwordFile);
}
