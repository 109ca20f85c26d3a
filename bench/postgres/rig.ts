import { spawn, type ChildProcess } from 'node:child_process';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { durableTriggerSql } from '../../lib/index.js';

/** Rows that the writers update; many, so that they seldom meet. */
const ROWS = 10_000;

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

/** Starts one of the programs beside this one, and resolves with its address. */
export async function startApp(
  program: 'app' | 'floor',
  postgres: string,
): Promise<{ url: string; stop(): Promise<void> }> {
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(new URL(`${program}.js`, import.meta.url))],
    { env: { ...process.env, POSTGRES: postgres }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const port = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const match = /listening (\d+)/.exec(output);
      if (match) resolve(match[1]!);
    });
    void exited.then(() => reject(new Error(`The program ${program} ended: ${output}`)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Reads a stream and hands over its text as it comes; resolves once the head is there. */
export function readStream(
  url: string,
  onText: (text: string) => void,
  headers: Record<string, string> = {},
): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { headers: { accept: 'text/event-stream', ...headers } },
      (response) => {
        response.setEncoding('utf8').on('data', onText);
        response.on('error', () => undefined);
        resolve(() => sent.destroy());
      },
    );
    sent.on('error', reject).end();
  });
}

/** How a table tells of its changed rows. */
export const TRIGGERS = {
  none: { sql: '', wake: undefined },
  'event table, wake off': {
    sql: durableTriggerSql({ table: 'rows', channel: 'rows' }),
    wake: 'off',
  },
  'event table, default': {
    sql: durableTriggerSql({ table: 'rows', channel: 'rows' }),
    wake: undefined,
  },
  'event table, wake on': {
    sql: durableTriggerSql({ table: 'rows', channel: 'rows' }),
    wake: 'on',
  },
  'plain NOTIFY': {
    sql: `create or replace function notify_rows() returns trigger language plpgsql as $$ begin
        perform pg_notify('rows_changed', row_to_json(new)::text); return new; end $$;
      create trigger plain after insert or update on rows for each row execute function notify_rows();`,
    wake: undefined,
  },
} as const;

export type TriggerName = keyof typeof TRIGGERS;

/** Creates the writers' table anew, with one of the triggers. */
export async function prepareRows(client: pg.Client, trigger: TriggerName): Promise<void> {
  await client.query(
    `drop table if exists rows;
    create table rows (id int primary key, n int not null default 0, text text not null default 'about as much as a row holds that somebody watches');
    insert into rows select generate_series(1, ${ROWS});
    vacuum analyze rows;`.replace(/vacuum.*/, ''),
  );
  await client.query('vacuum analyze rows');
  if (TRIGGERS[trigger].sql !== '') await client.query(TRIGGERS[trigger].sql);
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
