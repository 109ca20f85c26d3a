import { checkNames } from '../options/option-table.js';
import { removeOwnTriggersSql } from './own-triggers-sql.js';
import { notifyTriggers, TRIGGER_OPTIONS, type TriggerSqlOptions } from './trigger-sql.js';

/**
 * Writes the SQL that removes what `triggerSql()` creates: the trigger, and the function that it
 * calls once no other trigger does. It may be run again at any time, also without the table.
 *
 * @param options those given to `triggerSql()`; the table and the channel alone will do
 * @throws SseError `INVALID_OPTION` for a name that cannot be an identifier, `INVALID_CHANNEL`.
 */
export function dropTriggerSql(options: TriggerSqlOptions): string {
  checkNames(TRIGGER_OPTIONS, options, '', 'dropTriggerSql(): ');
  const { own, fn } = notifyTriggers(options);
  return removeOwnTriggersSql(own, fn);
}
