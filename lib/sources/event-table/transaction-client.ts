import { kindOf } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import type { PgQueryable } from '../postgres/pg-types.js';
import { codeOf, failureText } from '../postgres/postgres-error.js';
import { isOfEvent, refusedEvent } from './event-refusal.js';
import { tableError, type TableSettings } from './event-table-error.js';

/** How deep clients wrap the server's error. */
const MOST_WRAPPINGS = 4;

/** The transaction cannot be serialized, or was chosen to end a deadlock: it has to be run again. */
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
 * What `send()` rejects with when the client of a transaction did not write the event. An error
 * that asks for the transaction to be run again is the application's own: its code looks for the
 * SQLSTATE, and finds it only in the error as the client gave it.
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

/** The server's error, in which an ORM wraps it: Drizzle's `cause`, TypeORM's `driverError`. */
function serverErrorIn(given: unknown): unknown {
  let error = given;
  for (let depth = 0; depth < MOST_WRAPPINGS && codeOf(error) === undefined; depth++) {
    const { cause, driverError, original } = (error ?? {}) as Record<string, unknown>;
    error = driverError ?? original ?? cause;
  }
  return codeOf(error) === undefined ? undefined : error;
}
