import { flag } from '../options/option-kinds.js';
import { readOptions, type TableOf } from '../options/option-table.js';
import { inTurn } from '../postgres/in-turn.js';
import { inSchema } from './event-table-sql.js';
import { SCHEMA } from './event-table.options.js';
import { DROP_EVENT_TABLE } from './sql/sql.generated.js';

/** What `dropEventTableSql` removes. */
export interface DropEventTableSqlOptions {
  /** The schema that holds the table and its functions. Default: `sse`. */
  readonly schema?: string | undefined;
  /**
   * Whether to remove the table with the events in it, and the triggers that write to it.
   * Otherwise the SQL fails while there are any. Default: false.
   */
  readonly force?: boolean | undefined;
}

const DROP_OPTIONS = {
  schema: SCHEMA,
  force: flag(false),
} satisfies TableOf<DropEventTableSqlOptions>;

/**
 * Writes the SQL that removes what `eventTableSql()` creates, in whatever version: the table, its
 * functions, and the schema once nothing else is in it. It may be run again at any time.
 *
 * @throws SseError `INVALID_OPTION` for a schema that cannot be an identifier.
 */
export function dropEventTableSql(options: DropEventTableSqlOptions = {}): string {
  const { schema, force } = readOptions(DROP_OPTIONS, options, '', 'dropEventTableSql(): ');
  const sql = inTurn(inSchema(schema, DROP_EVENT_TABLE));
  return force ? sql.replace('boolean := false', 'boolean := true') : sql;
}
