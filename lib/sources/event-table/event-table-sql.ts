import { quoteName } from '../postgres/identifier.js';
import { inTurn } from '../postgres/in-turn.js';
import { readOptions } from '../options/option-table.js';
import { SCHEMA } from './event-table.options.js';
import { EVENT_TABLE } from './sql/sql.generated.js';

/** The version of the schema that this release works with. */
export const SCHEMA_VERSION = 5;

/** What `eventTableSql` writes. */
export interface EventTableSqlOptions {
  /** The schema that holds the table and its functions. Default: `sse`. */
  readonly schema?: string | undefined;
}

/**
 * Writes the SQL that creates the event table and its functions, or upgrades them. It may be run
 * again at any time, needs no superuser, and belongs in a migration.
 *
 * @throws SseError `INVALID_OPTION` for a schema that cannot be an identifier.
 */
export function eventTableSql(options: EventTableSqlOptions = {}): string {
  const { schema } = readOptions({ schema: SCHEMA }, options, '', 'eventTableSql(): ');
  return inTurn(inSchema(schema, EVENT_TABLE));
}

/** Puts the schema's name into SQL that is written for the schema `sse`. */
export function inSchema(schema: string, sql: string): string {
  return sql.replaceAll(SCHEMA_NAME, (_, bare?: string) =>
    bare === undefined ? quoteName(schema) : schema,
  );
}

/**
 * The schema's name in such SQL: quoted or before a dot, or bare at the end of a string. Settings
 * such as `sse.wake` are no objects of the schema.
 */
const SCHEMA_NAME = /(?<=[' ])(sse)(?=')|"sse"|\bsse(?=\.(?!(?:wake|rewritten|truncated)\b))/g;
