import { SseError } from '../../channel/sse-error.js';
import { codeOf, failureText, unavailable } from '../postgres/postgres-error.js';
import type { EventTableSettings } from './event-table.options.js';

/** SQLSTATEs for a missing table, function, column or schema. */
const MISSING: ReadonlySet<unknown> = new Set(['42P01', '42883', '42703', '3F000']);

/** Whether something is missing: the event table, if the statement names nothing else. */
export function isMissing(error: unknown): boolean {
  return MISSING.has(codeOf(error));
}

/** Whether the next partition is missing. The code tells, as texts are translated. */
export function lacksPartition(error: unknown): boolean {
  // The violation of a constraint names the constraint.
  const { constraint } = (error ?? {}) as { constraint?: unknown };
  return codeOf(error) === '23514' && constraint === undefined;
}

/** Where the table is, and whether this process installs it. */
export type TableSettings = Pick<EventTableSettings, 'schema' | 'install'>;

/**
 * Turns the refusal of a statement that names nothing but the event table into an error that tells
 * the remedy. Other errors stay as they are.
 */
export function tableError(error: unknown, settings: TableSettings): unknown {
  if (error instanceof SseError || codeOf(error) === undefined) {
    return unavailable(error, 'Postgres cannot be reached for the event table');
  }
  const remedy = remedyFor(error, settings);
  return remedy === undefined
    ? unavailable(error, 'Postgres did not take the event')
    : new SseError('UNAVAILABLE', `${remedy} Postgres says: ${failureText(error)}.`, {
        cause: error,
      });
}

function remedyFor(error: unknown, { schema, install }: TableSettings): string | undefined {
  if (isMissing(error)) {
    if (install) {
      return `The event table is not in the schema "${schema}" yet, or is of another version: its installation waits or has failed, and the log says why. We retry until it works.`;
    }
    return `The event table is not in the schema "${schema}", or is of another version. Run what "npx nestjs-sse-channels sql --event-table --schema ${schema}" prints, or set eventTable: { install: true }.`;
  }
  if (lacksPartition(error)) {
    return `The event table is full: its next partition is missing. An instance whose role owns the table, or may execute "${schema}".extend(), creates it.`;
  }
  switch (codeOf(error)) {
    case '42501':
      return `The role may not use the event table in the schema "${schema}". Grant it what docs/postgres.md lists.`;
    case '2200H':
      return 'The event table has no ids left, because JavaScript has no larger exact numbers. Drop the schema and install it again.';
    // A standby has no position in the write-ahead log.
    case '55000':
    case '25006':
      return 'The server is a standby, or takes no writes. Connect to the primary.';
    default:
      return undefined;
  }
}
