/** The advisory lock of everybody who creates or removes what this package needs in a database. */
export const TURN_LOCK = `hashtextextended('nestjs-sse-channels install', 0)`;

const COMMENTS = /^(?:--.*\n)*/;

/**
 * Has SQL wait for others that run SQL of this package in the same database: Postgres lets two fail that
 * create, replace or drop a thing at the same time. The lock goes with the transaction, so that this
 * serves SQL that is run within one.
 */
export function inTurn(sql: string): string {
  const wait = `do $sse$ begin perform pg_catalog.pg_advisory_xact_lock(pg_catalog.${TURN_LOCK}); end $sse$;\n`;
  return sql.replace(COMMENTS, (comments) => comments + wait);
}
