import { passedOn } from '../options/option-kinds.js';
import { checkNames, type TableOf } from '../options/option-table.js';
import { removeOwnTriggersSql } from './own-triggers-sql.js';
import { notifyTriggers } from './trigger-sql.js';

/** Which trigger `dropTriggerSql` removes. */
export interface DropTriggerSqlOptions {
  /** The table, as `users`, `app.users` or `"my.schema"."my table"`; upper case is kept. */
  readonly table: string;
  /** The table's schema. Default: as in `table`, else the search path's. */
  readonly schema?: string | undefined;
  /** The channel that the trigger notifies. */
  readonly channel: string;
}

const DROP_OPTIONS = {
  table: passedOn<string>(),
  schema: passedOn<string>(),
  channel: passedOn<string>(),
} satisfies TableOf<DropTriggerSqlOptions>;

/**
 * Writes the SQL that removes what `triggerSql()` creates: the trigger, and the function that it
 * calls once no other trigger does. It may be run again at any time, also without the table.
 *
 * @throws SseError `INVALID_OPTION` for a name that cannot be an identifier, `INVALID_CHANNEL`.
 */
export function dropTriggerSql(options: DropTriggerSqlOptions): string {
  checkNames(DROP_OPTIONS, options, '', 'dropTriggerSql(): ');
  const { own, fn } = notifyTriggers(options);
  return removeOwnTriggersSql(own, fn);
}
