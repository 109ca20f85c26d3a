import { SseError } from '../../channel/sse-error.js';
import { describe, unavailable } from '../postgres/postgres-error.js';

/** Says what to do about what the server refused; other errors stay what they are. */
export function tableError(error: unknown, schema: string): unknown {
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  if (error instanceof SseError || severity === undefined) {
    return unavailable(error, 'Postgres cannot be reached for the event table');
  }
  const remedy = remedyFor(code, schema, describe(error));
  return remedy === undefined
    ? unavailable(error, 'Postgres did not take the event')
    : new SseError('UNAVAILABLE', `${remedy} Postgres says: ${describe(error)}.`, { cause: error });
}

/** True when ids have reached a partition that is not there. */
export function lacksPartition(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === '23514' && /no partition of relation/.test(describe(error));
}

const READS_ONLY = 'The server is a standby, or takes no writes. Connect to the primary.';

function remedyFor(code: unknown, schema: string, message: string): string | undefined {
  switch (code) {
    case '42P01':
    case '42883':
    case '42703':
    case '3F000':
      return `The event table is not in the schema "${schema}", or is of another version. Run what "npx nestjs-sse-channels sql --event-table --schema ${schema}" prints, or set eventTable: { install: true }.`;
    case '42501':
      return `The role may not use the event table in the schema "${schema}". Grant it what docs/postgres.md lists.`;
    case '23514':
      return /no partition of relation/.test(message)
        ? `The event table is full: its next partition is missing. An instance whose role owns the table, or may execute "${schema}".extend(), creates it.`
        : undefined;
    case '55000':
      return /recovery is in progress/.test(message) ? READS_ONLY : undefined;
    case '25006':
      return READS_ONLY;
    default:
      return undefined;
  }
}
