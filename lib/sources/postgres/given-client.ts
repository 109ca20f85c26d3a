import { OWN_TYPES } from './own-types.js';
import type { PgQueryable } from './pg-types.js';
import { isOfPg } from './postgres.options.js';

/**
 * Runs a statement on a client or pool of the application's.
 *
 * @returns what its query() returns; see `rowsIn()`
 */
export function runOn(given: PgQueryable, text: string, values: unknown[]): Promise<unknown> {
  // Others than those of pg may not take an object, and with it parsers of our own.
  return isOfPg(given)
    ? (given as PgQueryable<unknown>).query({ text, values, types: OWN_TYPES })
    : given.query(text, values);
}

/** The rows of an answer, which is the rows or has them; `undefined` when it is something else. */
export function rowsIn(answer: unknown): readonly unknown[] | undefined {
  const rows: unknown = Array.isArray(answer)
    ? answer
    : (answer as { rows?: unknown } | null | undefined)?.rows;
  return Array.isArray(rows) ? rows : undefined;
}
