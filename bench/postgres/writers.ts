import { execFile } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type pg from 'pg';
import { TRIGGERS, connect, prepareRows, quantile, type TriggerName } from './rig.js';

const run = promisify(execFile);

/** Finds pgbench on the path, or where Debian puts it. */
export async function findPgbench(): Promise<string | undefined> {
  const debian = '/usr/lib/postgresql';
  const installed = existsSync(debian)
    ? readdirSync(debian).map((version) => join(debian, version, 'bin/pgbench'))
    : [];
  for (const candidate of ['pgbench', ...installed]) {
    if (
      await run(candidate, ['--version']).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  return undefined;
}

export interface WriterCase {
  readonly clients: number;
  /** `commit_delay` in milliseconds. */
  readonly commitDelay: number;
}

/** Transactions per second by trigger, as the median of all rounds. */
export async function measureWriters(
  pgbench: string,
  url: string,
  folder: string,
  { clients, commitDelay }: WriterCase,
  seconds: number,
  rounds: number,
): Promise<Record<TriggerName, number>> {
  const script = join(folder, 'update.sql');
  writeFileSync(script, '\\set id random(1, 10000)\nupdate rows set n = n + 1 where id = :id;\n', {
    mode: 0o644,
  });
  const admin = await connect(url);
  const samples = new Map<TriggerName, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const trigger of Object.keys(TRIGGERS) as TriggerName[]) {
      await prepareRows(admin, trigger);
      const stop = await listenTo(trigger, url);
      const { wake } = TRIGGERS[trigger];
      // Without siblings, as commits that wait for each other's notifications do not count as such.
      const options = [
        `-c commit_delay=${commitDelay * 1_000} -c commit_siblings=0`,
        wake ? `-c sse.wake=${wake}` : '',
      ];
      const { stdout } = await run(
        pgbench,
        [
          '-n',
          '-f',
          script,
          '-c',
          String(clients),
          '-j',
          '2',
          '-T',
          String(seconds),
          '-M',
          'prepared',
          url,
        ],
        { env: { ...process.env, PGOPTIONS: options.join(' ') } },
      );
      await stop();
      const tps = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
      samples.set(trigger, [...(samples.get(trigger) ?? []), tps]);
    }
  }
  await admin.end();
  return Object.fromEntries(
    [...samples].map(([trigger, values]) => [trigger, Math.round(quantile(values, 0.5))]),
  ) as Record<TriggerName, number>;
}

/** Somebody hears of plain notifications; the application reads the event table all the time. */
async function listenTo(trigger: TriggerName, url: string): Promise<() => Promise<void>> {
  if (trigger !== 'plain NOTIFY') return async () => undefined;
  const listener: pg.Client = await connect(url);
  listener.on('notification', () => undefined);
  await listener.query('listen rows_changed');
  return () => listener.end();
}
