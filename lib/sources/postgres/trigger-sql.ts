import { shown } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import { passedOn } from '../options/option-kinds.js';
import { checkNames, type TableOf } from '../options/option-table.js';
import { checkChannel, checkColumns, quoteName, quoteText } from './identifier.js';
import { inTurn } from './in-turn.js';
import { dropOwnTriggersSql, type OwnTriggers } from './own-triggers-sql.js';
import { NOTIFY_ROW } from './sql/sql.generated.js';
import { qualified, readTableName } from './table-name.js';
import {
  TRIGGER_TARGET,
  triggerEvents,
  triggerName,
  type TriggerTarget,
} from './trigger-target.js';

/** The function that the triggers of a schema's tables share. */
const FUNCTION = 'sse_notify_row';

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

export const TRIGGER_OPTIONS = {
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
  const { own, fn } = notifyTriggers(options);
  const key = [options.key ?? []].flat();
  checkColumns(key, 'The key column');
  const events = triggerEvents(options.events);
  const args = [options.channel, ...key].map(quoteText).join(', ');
  return inTurn(`${NOTIFY_ROW.replace(FUNCTION, () => fn)}
${dropOwnTriggersSql(own)}
create trigger ${quoteName(own.names[0]!)} after ${events.join(' or ')} on ${own.on}
  for each row execute function ${fn}(${args});
`);
}

/** The trigger that notifies a channel of a table's rows, and the function that it calls. */
export function notifyTriggers(target: Pick<TriggerSqlOptions, 'table' | 'schema' | 'channel'>): {
  readonly own: OwnTriggers;
  readonly fn: string;
} {
  const { channel } = target;
  const { schema, table } = readTableName(target.table, target.schema);
  checkChannel(channel);
  if (/[{}]/.test(channel)) {
    throw new SseError(
      'INVALID_CHANNEL',
      `The channel ${shown(channel)} has braces, and a trigger that notifies fills no template. ` +
        'Give a name without braces, or use durableTriggerSql() (--durable).',
    );
  }
  return {
    own: {
      on: qualified(schema, table),
      names: [triggerName('sse_', channel)],
      functions: [FUNCTION],
      channel,
    },
    fn: qualified(schema, FUNCTION),
  };
}
