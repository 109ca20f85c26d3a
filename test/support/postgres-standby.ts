import { execFile } from 'node:child_process';
import { appendFile, cp, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { ServerUser } from './postgres-binaries.js';

/** A server whose data a standby begins with, and whose log it follows. */
export interface Primary {
  readonly url: string;
  readonly dataDir: string;
  /** What the standby follows it at, such as a proxy's URL. Default: `url`. */
  readonly followUrl?: string;
}

/** What belongs to the running primary alone, or comes again by itself. */
const LEFT_OUT = new Set(['pg_wal', 'pg_stat_tmp', 'pg_replslot', 'pg_notify']);

/**
 * Makes a folder from which a server starts as a streaming standby of a running primary.
 *
 * @returns the superuser's password, which is the primary's
 */
export async function copyPrimary(
  { url, dataDir: source, followUrl = url }: Primary,
  dataDir: string,
  user: ServerUser | undefined,
): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: versions } = await client.query<{ isOld: boolean }>(
      `select current_setting('server_version_num')::int < 150000 as "isOld"`,
    );
    const isOld = versions[0]!.isOld;
    await client.query(
      isOld
        ? `select pg_start_backup('copy', true, false)`
        : `select pg_backup_start('copy', true)`,
    );
    await cp(source, dataDir, {
      recursive: true,
      filter: (path) =>
        !LEFT_OUT.has(dirname(relative(source, path))) && !path.endsWith('postmaster.pid'),
    });
    const { rows } = await client.query<{ labelfile: string }>(
      `select labelfile from ${isOld ? 'pg_stop_backup(false, false)' : 'pg_backup_stop(false)'}`,
    );
    await writeFile(join(dataDir, 'backup_label'), rows[0]!.labelfile);
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  } finally {
    await client.end();
  }
  const { hostname, port, username, password } = new URL(followUrl);
  const primary = `host=${hostname} port=${port} user=${username} password=${password} sslmode=disable`;
  await appendFile(
    join(dataDir, 'postgresql.auto.conf'),
    `primary_conninfo = '${primary}'\nwal_retrieve_retry_interval = '100ms'\n`,
  );
  await writeFile(join(dataDir, 'standby.signal'), '');
  if (user) {
    await promisify(execFile)('chown', ['-R', `${user.uid}:${user.gid}`, dataDir]);
  }
  return new URL(url).password;
}
