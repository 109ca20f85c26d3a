import { kindOf } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import type { PgQueryable } from '../postgres/pg-types.js';
import { codeOf, failureText } from '../postgres/postgres-error.js';
import { isOfEvent, refusedEvent } from './event-refusal.js';
import { tableError, type TableSettings } from './event-table-error.js';

/** How deep clients wrap the server's error. */
const MOST_WRAPPINGS = 4;

/** SQLSTATEs of a transaction that must run again: it cannot be serialized, or ended a deadlock. */
const RUN_AGAIN: ReadonlySet<unknown> = new Set(['40001', '40P01']);

/** @throws SseError `INVALID_OPTION` for what cannot be the client of a transaction */
export function checkTransaction(transaction: unknown): asserts transaction is PgQueryable {
  const { query, totalCount } = (transaction ?? {}) as { query?: unknown; totalCount?: unknown };
  if (typeof query !== 'function') {
    throw new SseError(
      'INVALID_OPTION',
      `\`transaction\` is ${kindOf(transaction)} without query(text, values). Give the client on which ` +
        'the transaction was begun, as a client of pg or an EntityManager of TypeORM.',
    );
  }
  if (typeof totalCount === 'number') {
    throw new SseError(
      'INVALID_OPTION',
      '`transaction` is a pool, which would write the event outside of your transaction. Give the ' +
        'client on which the transaction was begun, as pool.connect() gives it.',
    );
  }
}

/**
 * The error with which `send()` rejects when the client of a transaction did not write the event. If
 * the transaction must run again, it is the client's own error: the application looks for the SQLSTATE
 * there.
 */
export function refusedWithin(given: unknown, settings: TableSettings): unknown {
  const error = serverErrorIn(given) ?? given;
  if (given instanceof SseError || RUN_AGAIN.has(codeOf(error))) {
    return given;
  }
  if (isOfEvent(error)) {
    return refusedEvent(error);
  }
  const text = textOfAborted(error);
  if (text === undefined && codeOf(error) !== undefined) {
    const known = tableError(error, settings);
    if (known instanceof SseError) {
      return known;
    }
  }
  return new SseError(
    'TRANSACTION_FAILED',
    text ?? `The client of the transaction did not write the event: ${failureText(error)}.`,
    { cause: given },
  );
}

function textOfAborted(error: unknown): string | undefined {
  switch (codeOf(error)) {
    case '25P02':
      return (
        'The event was not written, as a statement before it had failed: Postgres takes nothing more in ' +
        'such a transaction. Roll it back; the error of that statement says why it failed.'
      );
    case '25006':
      return (
        'The event was not written, as the transaction is read-only. Begin it as `read write`, on the ' +
        'primary.'
      );
    default:
      return undefined;
  }
}

/**
 * Finds the server's error within an ORM's: Drizzle's `cause`, TypeORM's `driverError`, and Prisma's
 * `meta.driverAdapterError`, whose cause may carry only the code and the message of the server's error.
 */
function serverErrorIn(given: unknown): unknown {
  let error = given;
  for (let depth = 0; depth < MOST_WRAPPINGS && codeOf(error) === undefined; depth++) {
    const { cause, driverError, original, meta, originalCode, originalMessage } = (error ??
      {}) as Record<string, unknown>;
    error =
      typeof originalCode === 'string'
        ? { severity: 'ERROR', code: originalCode, message: originalMessage }
        : (driverError ??
          original ??
          (meta as Record<string, unknown> | undefined)?.['driverAdapterError'] ??
          cause);
  }
  return codeOf(error) === undefined ? undefined : error;
}
