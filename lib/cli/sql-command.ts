import { parseArgs } from 'node:util';
import { dropDurableTriggerSql } from '../sources/event-table/drop-durable-trigger-sql.js';
import { dropEventTableSql } from '../sources/event-table/drop-event-table-sql.js';
import { durableTriggerSql } from '../sources/event-table/durable-trigger-sql.js';
import { eventTableSql } from '../sources/event-table/event-table-sql.js';
import { dropTriggerSql } from '../sources/postgres/drop-trigger-sql.js';
import { checkColumns } from '../sources/postgres/identifier.js';
import { triggerSql } from '../sources/postgres/trigger-sql.js';
import type { TriggerEvent } from '../sources/postgres/trigger-target.js';
import { refuseRepeated } from './http-arguments.js';
import { UsageError } from './usage-error.js';

export const SQL_USAGE = `Usage: nestjs-sse-channels sql --table <table> --channel <channel> [options]
       nestjs-sse-channels sql --table <table> --channel <channel> --durable [options]
       nestjs-sse-channels sql --event-table [--schema <schema>]
       nestjs-sse-channels sql --drop --table <table> --channel <channel> [--durable] [--schema <schema>]
       nestjs-sse-channels sql --drop --event-table [--schema <schema>] [--force]

Prints SQL for your migrations. All of it may be run again at any time.

A trigger that notifies the channel of each changed row, and never makes your statement fail:
  --table <table>      users, app.users or '"my.schema"."my table"'; upper case is kept
  --channel <channel>  the channel to notify, 1 to 63 bytes
  --key <column>       a column to send in place of a row of more than 7,900 bytes;
                       may be given several times. Default: the primary key
  --events <list>      of insert,update,delete. Default: all three

A trigger that puts each changed row into the event table, in the same transaction:
  --durable            print this kind of trigger
  --channel <channel>  may hold columns in braces: 'order:{id}'
  --payload <what>     row, or key: the columns of --key only. Default: row
  --columns <list>     send these columns only. Default: all
  --key <column>       a column to send with --payload key; may be given several times
  --bulk               one trigger per statement, for statements that change thousands of rows
  --schema <schema>    where the event table is. Default: sse

The event table itself, to be created or upgraded:
  --event-table
  --schema <schema>    where to create it. Default: sse

The removal of a trigger, or of the event table:
  --drop               with the --table and --channel of the trigger, or with --event-table
  --durable            the trigger is one that writes to the event table
  --schema <schema>    where the event table is. Default: sse
  --force              remove the event table with its events, and with the triggers that write to it
`;

/**
 * The command `sql`: returns what it prints.
 *
 * @throws UsageError when an argument is missing or unknown; SseError when one cannot be used.
 */
export function sqlCommand(args: readonly string[]): string {
  const { values, tokens } = parseArgs({ args: [...args], options: OPTIONS, tokens: true });
  if (values.help === true) {
    return SQL_USAGE;
  }
  refuseRepeated(tokens, ['key'], true);
  const { table, channel, key, schema, durable, drop, force } = values;
  const isTable = values['event-table'] === true;
  if (!isTable || drop !== true) {
    refuse(values, ['force'], 'goes with --drop --event-table');
  }
  if (isTable) {
    refuse(
      values,
      [...TRIGGER_ONLY, ...DURABLE_ONLY],
      'does not go with --event-table: leave it out',
    );
    return drop === true ? dropEventTableSql({ schema, force }) : eventTableSql({ schema });
  }
  if (table === undefined) {
    throw new UsageError('--table is missing. Give the table, as --table users.');
  }
  if (channel === undefined) {
    throw new UsageError('--channel is missing. Give the channel, as --channel user_updates.');
  }
  if (durable !== true) {
    refuse(values, [...DURABLE_ONLY, 'schema'], 'goes with --durable');
  }
  if (drop === true) {
    refuse(
      values,
      ['key', 'events', 'payload', 'columns', 'bulk'],
      'does not go with --drop, which removes all triggers of the channel on the table: leave it out',
    );
    return durable === true
      ? dropDurableTriggerSql({ table, channel, eventSchema: schema })
      : dropTriggerSql({ table, channel });
  }
  // The functions that write the SQL refuse unknown names, with the list of those that are allowed.
  const events = listOf(values.events)?.map((event) => event.toLowerCase() as TriggerEvent);
  if (durable !== true) {
    return triggerSql({ table, channel, key, events });
  }
  checkColumns(key ?? [], 'The key column');
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
  drop: { type: 'boolean' },
  force: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const TRIGGER_ONLY = ['table', 'channel', 'key', 'events'] as const;
const DURABLE_ONLY = ['durable', 'payload', 'columns', 'bulk'] as const;

function refuse(
  values: Record<string, unknown>,
  names: readonly (keyof typeof OPTIONS)[],
  why: string,
): void {
  const stray = names.find((name) => values[name] !== undefined);
  if (stray !== undefined) {
    throw new UsageError(`--${stray} ${why}.`);
  }
}

function columnsOf(
  payload = 'row',
  columns: readonly string[] | undefined,
  key: readonly string[] | undefined,
): readonly string[] | undefined {
  if (payload !== 'row' && payload !== 'key') {
    throw new UsageError(`--payload is ${JSON.stringify(payload)}. Give row or key.`);
  }
  if (payload === 'row') {
    return columns;
  }
  if (columns !== undefined) {
    throw new UsageError(
      '--columns does not go with --payload key, which sends the columns of --key: leave it out.',
    );
  }
  if (key === undefined) {
    throw new UsageError(
      '--key is missing: --payload key sends its columns. Give them, as --key id.',
    );
  }
  return key;
}

function listOf(text: string | undefined): string[] | undefined {
  return text?.split(',').map((part) => part.trim());
}
