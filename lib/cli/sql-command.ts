import { parseArgs } from 'node:util';
import { durableTriggerSql } from '../sources/event-table/durable-trigger-sql.js';
import { eventTableSql } from '../sources/event-table/event-table-sql.js';
import { triggerSql } from '../sources/postgres/trigger-sql.js';
import type { TriggerEvent } from '../sources/postgres/trigger-target.js';
import { UsageError } from './usage-error.js';

export const SQL_USAGE = `Usage: nestjs-sse-channels sql --table <table> --channel <channel> [options]
       nestjs-sse-channels sql --table <table> --channel <channel> --durable [options]
       nestjs-sse-channels sql --event-table [--schema <schema>]

Prints SQL for your migrations. All of it may be run again at any time.

A trigger that notifies the channel of each changed row, and never makes your statement fail:
  --table <table>      users, app.users or '"my.schema"."my table"'; upper case is kept
  --channel <channel>  the channel to notify, 1 to 63 bytes
  --key <column>       what identifies a row that is too large to be sent (8,000 bytes);
                       may be given several times. Default: the primary key
  --events <list>      of insert,update,delete. Default: all three

A trigger that puts each changed row into the event table, in the same transaction:
  --durable            write this one
  --channel <channel>  may hold columns in braces: 'order:{id}'
  --payload <what>     row, or key: the columns of --key only. Default: row
  --columns <list>     send these columns only
  --key <column>       what identifies a row; may be given several times
  --bulk               one trigger per statement, for statements that change thousands of rows
  --schema <schema>    where the event table is. Default: sse

The event table itself, to be created or upgraded:
  --event-table
  --schema <schema>    where to create it. Default: sse
`;

/**
 * The command `sql`: returns what it prints.
 *
 * @throws UsageError when an argument is missing or unknown; SseError when one cannot be used.
 */
export function sqlCommand(args: readonly string[]): string {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help === true) {
    return SQL_USAGE;
  }
  const { table, channel, key, schema } = values;
  // Unknown names are refused by what writes the SQL, with the list of those that are allowed.
  const events = listOf(values.events)?.map((event) => event.toLowerCase() as TriggerEvent);
  if (values['event-table'] === true) {
    refuse(values, ['table', 'channel', 'key', 'events', ...DURABLE_ONLY], '--event-table');
    return eventTableSql({ schema });
  }
  if (table === undefined) {
    throw new UsageError('--table is missing.');
  }
  if (channel === undefined) {
    throw new UsageError('--channel is missing.');
  }
  if (values.durable === true) {
    const columns = columnsOf(values.payload, listOf(values.columns), key);
    return durableTriggerSql({
      table,
      channel,
      columns,
      events,
      bulk: values.bulk,
      eventSchema: schema,
    });
  }
  const stray = [...DURABLE_ONLY, 'schema' as const].find((name) => values[name] !== undefined);
  if (stray !== undefined) {
    throw new UsageError(`--${stray} goes with --durable.`);
  }
  return triggerSql({ table, channel, key, events });
}

const OPTIONS = {
  table: { type: 'string' },
  channel: { type: 'string' },
  key: { type: 'string', multiple: true },
  events: { type: 'string' },
  durable: { type: 'boolean' },
  payload: { type: 'string' },
  columns: { type: 'string' },
  bulk: { type: 'boolean' },
  'event-table': { type: 'boolean' },
  schema: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

const DURABLE_ONLY = ['durable', 'payload', 'columns', 'bulk'] as const;

function refuse(values: Record<string, unknown>, names: readonly string[], beside: string): void {
  const stray = names.find((name) => values[name] !== undefined);
  if (stray !== undefined) {
    throw new UsageError(`--${stray} does not go with ${beside}.`);
  }
}

function columnsOf(
  payload = 'row',
  columns: readonly string[] | undefined,
  key: readonly string[] | undefined,
): readonly string[] | undefined {
  if (payload !== 'row' && payload !== 'key') {
    throw new UsageError(`--payload is ${JSON.stringify(payload)}; it is row or key.`);
  }
  if (payload === 'row') {
    return columns;
  }
  if (columns !== undefined) {
    throw new UsageError('--columns does not go with --payload key.');
  }
  if (key === undefined) {
    throw new UsageError('--key is missing: --payload key sends its columns.');
  }
  return key;
}

function listOf(text: string | undefined): string[] | undefined {
  return text?.split(',').map((part) => part.trim());
}
