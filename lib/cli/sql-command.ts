import { parseArgs } from 'node:util';
import { triggerSql, type TriggerEvent } from '../sources/postgres/trigger-sql.js';
import { UsageError } from './usage-error.js';

export const SQL_USAGE = `Usage: nestjs-sse-channels sql --table <table> --channel <channel> [options]

Prints the SQL of a trigger that notifies the channel of each changed row.
It never makes your own statement fail, and may be run again at any time.

  --table <table>      users, app.users or '"my.schema"."my table"'; upper case is kept
  --channel <channel>  the channel to notify, 1 to 63 bytes
  --key <column>       what identifies a row that is too large to be sent (8,000 bytes);
                       may be given several times. Default: the primary key
  --events <list>      of insert,update,delete. Default: all three
`;

/**
 * The command `sql`: returns what it prints.
 *
 * @throws UsageError when an argument is missing or unknown; SseError when one cannot be used.
 */
export function sqlCommand(args: readonly string[]): string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      table: { type: 'string' },
      channel: { type: 'string' },
      key: { type: 'string', multiple: true },
      events: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    return SQL_USAGE;
  }
  const { table, channel, key, events } = values;
  if (table === undefined) {
    throw new UsageError('--table is missing.');
  }
  if (channel === undefined) {
    throw new UsageError('--channel is missing.');
  }
  return triggerSql({
    table,
    channel,
    key,
    // Unknown names are refused by triggerSql, with the list of those that are allowed.
    events: events?.split(',').map((event) => event.trim().toLowerCase() as TriggerEvent),
  });
}
