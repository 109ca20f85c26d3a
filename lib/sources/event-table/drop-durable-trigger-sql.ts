import { readOptions } from '../options/option-table.js';
import { removeOwnTriggersSql } from '../postgres/own-triggers-sql.js';
import {
  durableTriggers,
  DURABLE_TRIGGER_OPTIONS,
  type DurableTriggerSqlOptions,
} from './durable-trigger-sql.js';

/**
 * Writes the SQL that removes what `durableTriggerSql()` creates, with or without `bulk`. The
 * functions belong to the event table, and stay. It may be run again at any time, also without the
 * table.
 *
 * @param options those given to `durableTriggerSql()`; the table, the channel and the schema of the
 *   event table alone will do
 * @throws SseError `INVALID_OPTION` for a name that cannot be an identifier, `INVALID_CHANNEL`.
 */
export function dropDurableTriggerSql(options: DurableTriggerSqlOptions): string {
  const { eventSchema } = readOptions(
    DURABLE_TRIGGER_OPTIONS,
    options,
    '',
    'dropDurableTriggerSql(): ',
  );
  return removeOwnTriggersSql(durableTriggers(options, eventSchema));
}
