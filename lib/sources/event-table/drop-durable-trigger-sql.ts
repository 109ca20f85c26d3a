import { passedOn } from '../options/option-kinds.js';
import { readOptions, type TableOf } from '../options/option-table.js';
import type { DropTriggerSqlOptions } from '../postgres/drop-trigger-sql.js';
import { removeOwnTriggersSql } from '../postgres/own-triggers-sql.js';
import { durableTriggers } from './durable-trigger-sql.js';
import { SCHEMA } from './event-table.options.js';

/** Which trigger `dropDurableTriggerSql` removes. */
export interface DropDurableTriggerSqlOptions extends DropTriggerSqlOptions {
  /** The channel or template, as it was given to `durableTriggerSql()`. */
  readonly channel: string;
  /** The schema of the event table. Default: `sse`. */
  readonly eventSchema?: string | undefined;
}

const DROP_OPTIONS = {
  table: passedOn<string>(),
  schema: passedOn<string>(),
  channel: passedOn<string>(),
  eventSchema: SCHEMA,
} satisfies TableOf<DropDurableTriggerSqlOptions>;

/**
 * Writes the SQL that removes what `durableTriggerSql()` creates, with or without `bulk`. The
 * functions belong to the event table, and stay. It may be run again at any time, also without the
 * table.
 *
 * @throws SseError `INVALID_OPTION` for a name that cannot be an identifier, `INVALID_CHANNEL`.
 */
export function dropDurableTriggerSql(options: DropDurableTriggerSqlOptions): string {
  const { eventSchema } = readOptions(DROP_OPTIONS, options, '', 'dropDurableTriggerSql(): ');
  return removeOwnTriggersSql({ ...durableTriggers(options), functionSchema: eventSchema });
}
