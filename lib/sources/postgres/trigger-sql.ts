import { passedOn } from '../options/option-kinds.js';
import { checkNames, type TableOf } from '../options/option-table.js';
import { checkChannel, checkName, quoteName, quoteText } from './identifier.js';
import { dropOwnTriggersSql } from './own-triggers-sql.js';
import { NOTIFY_ROW } from './sql/sql.generated.js';
import { qualified, readTableName } from './table-name.js';
import {
  TRIGGER_TARGET,
  triggerEvents,
  triggerName,
  type TriggerTarget,
} from './trigger-target.js';

/** What `triggerSql` writes a trigger for. */
export interface TriggerSqlOptions extends TriggerTarget {
  /** The table's schema; the trigger's function is created there too. Default: as in `table`, else the search path's. */
  readonly schema?: string | undefined;
  /** The channel to notify: 1 to 63 bytes. */
  readonly channel: string;
  /**
   * The column or columns that identify a row, sent in place of a row that is too large.
   * Default: the table's primary key, looked up when it is needed.
   */
  readonly key?: string | readonly string[] | undefined;
}

const TRIGGER_OPTIONS = {
  ...TRIGGER_TARGET,
  schema: passedOn<string>(),
  channel: passedOn<string>(),
  key: passedOn<string | readonly string[]>(),
} satisfies TableOf<TriggerSqlOptions>;

/**
 * Writes the SQL of a trigger that notifies a channel of each changed row, for the `postgres`
 * source. It may be run again at any time, and belongs in a migration.
 *
 * A reader receives the operation as the event's name and the row as JSON (the old row of a
 * `delete`). A row whose notification would be over 7,900 bytes arrives as
 * `{"truncated":true,"id":1}`, with its key. On the channel itself the payload is
 * `{"sse":"insert","data":{…}}`.
 *
 * The trigger never makes the statement fail: an error in it becomes a warning. What Postgres
 * reports only at the end of the transaction cannot be caught: a full notification queue
 * (8 GB, when a listener somewhere has stopped reading), and `PREPARE TRANSACTION`, which
 * Postgres refuses after a notification.
 *
 * @throws SseError `INVALID_OPTION` for a name that cannot be an identifier or an unknown event,
 *   `INVALID_CHANNEL`.
 */
export function triggerSql(options: TriggerSqlOptions): string {
  checkNames(TRIGGER_OPTIONS, options, '', 'triggerSql(): ');
  const { schema, table } = readTableName(options.table, options.schema);
  checkChannel(options.channel);
  const key =
    options.key === undefined ? [] : typeof options.key === 'string' ? [options.key] : options.key;
  for (const column of key) {
    checkName(column, 'The key column');
  }
  const events = triggerEvents(options.events);
  const fn = qualified(schema, 'sse_notify_row');
  const on = qualified(schema, table);
  const trigger = triggerName('sse_', options.channel);
  const args = [options.channel, ...key].map(quoteText).join(', ');
  const drop = dropOwnTriggersSql({
    on,
    names: [trigger],
    functions: ['sse_notify_row'],
    channel: options.channel,
  });
  return `${NOTIFY_ROW.replace('sse_notify_row', () => fn)}
${drop}
create trigger ${quoteName(trigger)} after ${events.join(' or ')} on ${on}
  for each row execute function ${fn}(${args});
`;
}
