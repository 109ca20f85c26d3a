import { quoteName, quoteText } from '../postgres/identifier.js';
import type { Session } from '../postgres/session.js';

/** A transaction that holds a lock on the event table. */
export interface OpenTransaction {
  /** The process that runs it; `undefined` for a prepared transaction. */
  readonly pid: number | undefined;
  /** How long it has been open, in milliseconds; `undefined` when the role may not see it. */
  readonly age: number | undefined;
}

/** The names, in Postgres, of the open transactions that have written to the table or are about to. */
export async function openWriters(session: Session, schema: string): Promise<readonly string[]> {
  const [row] = await session.queryAgainAfterLocks<{ writers: string[] }>({
    name: `sse_writers_${schema}`,
    text: `select ${quoteName(schema)}.writers() as writers`,
  });
  return row!.writers;
}

/** Finds out which processes run the writers, and how long these have been open. */
export function describeWriters(
  session: Session,
  schema: string,
  writers: readonly string[],
): Promise<readonly OpenTransaction[]> {
  const table = quoteText(`${quoteName(schema)}.event`);
  const which = `virtualtransaction = any ($1) and relation = ${table}::regclass`;
  return transactions(session, which, [writers]);
}

/** The transactions of others that hold any lock on a table of the schema; the oldest come first. */
export function lockHolders(session: Session, schema: string): Promise<readonly OpenTransaction[]> {
  const which = `granted and pid is distinct from pg_backend_pid()
    and database = (select oid from pg_database where datname = current_database())
    and relation in (select oid from pg_class
      where relnamespace = to_regnamespace(${quoteText(quoteName(schema))}))`;
  return transactions(session, which);
}

export function transactionName({ pid, age }: OpenTransaction): string {
  const since = age === undefined ? '' : `, open for ${Math.round(age / 1_000)} s`;
  return pid === undefined
    ? `a prepared transaction${since}`
    : `the transaction of pid ${pid}${since}`;
}

/** @param which the condition on rows of `pg_locks` */
async function transactions(
  session: Session,
  which: string,
  values?: readonly unknown[],
): Promise<readonly OpenTransaction[]> {
  const rows = await session.queryAgainAfterLocks<{ pid: number | null; age: number | null }>({
    text: `select l.pid,
        (extract(epoch from clock_timestamp() - coalesce(a.xact_start, x.prepared)) * 1000)::float8 as age
      from (select distinct pid, virtualtransaction from pg_locks
            where locktype = 'relation' and ${which}) l
      left join pg_stat_activity a on a.pid = l.pid
      left join lateral (select min(prepared) as prepared from pg_prepared_xacts
        where database = current_database()) x on l.pid is null
      order by age desc nulls last`,
    values,
  });
  return rows.map(({ pid, age }) => ({ pid: pid ?? undefined, age: age ?? undefined }));
}
