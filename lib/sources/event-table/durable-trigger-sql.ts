import { checkChannelName } from '../../channel/channel-name.js';
import { checkTemplate, placeholdersOf } from '../../channel/template.js';
import { checkColumns, quoteBody, quoteName, quoteText } from '../postgres/identifier.js';
import { inTurn } from '../postgres/in-turn.js';
import { dropOwnTriggersSql, type OwnTriggers } from '../postgres/own-triggers-sql.js';
import { qualified, readTableName } from '../postgres/table-name.js';
import {
  TRIGGER_EVENTS,
  TRIGGER_TARGET,
  triggerEvents,
  triggerName,
  type TriggerEvent,
  type TriggerTarget,
} from '../postgres/trigger-target.js';
import { flag, passedOn } from '../options/option-kinds.js';
import { readOptions, type TableOf } from '../options/option-table.js';
import { DEFAULT_SCHEMA, SCHEMA } from './event-table.options.js';

/** What `durableTriggerSql` writes a trigger for. */
export interface DurableTriggerSqlOptions extends TriggerTarget {
  /** The table's schema. Default: as in `table`, else the search path's. */
  readonly schema?: string | undefined;
  /**
   * The channel, or a template such as `order:{id}` that is filled from the row's columns as
   * `channelName()` fills it. A row whose column is null or empty has no channel, and no event.
   */
  readonly channel: string;
  /** The columns to send. Default: all. For the key only, give the key's columns. */
  readonly columns?: readonly string[] | undefined;
  /**
   * Whether to write one trigger per statement in place of one per row: half the cost for
   * statements that change thousands of rows. It cannot be deferred to the end of the
   * transaction, so other events wait until that ends. Default: false.
   */
  readonly bulk?: boolean | undefined;
  /** The schema of the event table. Default: `sse`. */
  readonly eventSchema?: string | undefined;
}

export const DURABLE_TRIGGER_OPTIONS = {
  ...TRIGGER_TARGET,
  schema: passedOn<string>(),
  channel: passedOn<string>(),
  columns: passedOn<readonly string[]>(),
  bulk: flag(false),
  eventSchema: SCHEMA,
} satisfies TableOf<DurableTriggerSqlOptions>;

/**
 * Writes the SQL of a trigger that puts each changed row into the event table, within the
 * transaction that changes it. It may be run again at any time, and belongs in a migration, after
 * that of the event table.
 *
 * A reader receives the operation as the event's name and the row as JSON (the old row of a
 * `delete`), whatever its size.
 *
 * @throws SseError `INVALID_OPTION` for a name that cannot be an identifier or an unknown event,
 *   `INVALID_CHANNEL`.
 */
export function durableTriggerSql(options: DurableTriggerSqlOptions): string {
  const { channel, columns = [] } = options;
  const { bulk, eventSchema } = readOptions(
    DURABLE_TRIGGER_OPTIONS,
    options,
    '',
    'durableTriggerSql(): ',
  );
  const own = durableTriggers(options, eventSchema);
  const { on } = own;
  const name = (event?: TriggerEvent): string => quoteName(nameOf(channel, eventSchema, event));
  const named = [...new Set([...placeholdersOf(channel), ...columns])];
  checkColumns(columns, 'The column');
  const events = triggerEvents(options.events);
  const args = [channel, ...columns].map(quoteText).join(', ');
  const triggers = bulk
    ? events.map(
        (event) => `create trigger ${name(event)} after ${event} on ${on}
  referencing ${event === 'delete' ? 'old' : 'new'} table as sse_rows
  for each statement execute function ${quoteName(eventSchema)}.statement_event(${args});`,
      )
    : [
        `-- Deferred, so that ids are taken at the end of the transaction: other events wait less.
create constraint trigger ${name()} after ${events.join(' or ')} on ${on}
  deferrable initially deferred
  for each row execute function ${quoteName(eventSchema)}.row_event(${args});`,
      ];
  return inTurn(`-- Written by nestjs-sse-channels. Puts each changed row into the event table.
${tableCheck(on, eventSchema)}${named.length > 0 ? columnCheck(on, named) : ''}${[dropOwnTriggersSql(own), ...triggers].join('\n')}
`);
}

/**
 * The triggers that put a table's rows on a channel of an event table: one per row, or some per
 * statement.
 */
export function durableTriggers(
  target: Pick<DurableTriggerSqlOptions, 'table' | 'schema' | 'channel'>,
  eventSchema: string,
): OwnTriggers {
  const { channel } = target;
  const { schema, table } = readTableName(target.table, target.schema);
  checkChannelName(channel);
  checkTemplate(channel);
  checkColumns([...new Set(placeholdersOf(channel))], 'The column');
  return {
    on: qualified(schema, table),
    names: [undefined, ...TRIGGER_EVENTS].map((event) => nameOf(channel, eventSchema, event)),
    functions: ['row_event', 'statement_event'],
    functionSchema: eventSchema,
    channel,
  };
}

/** The schema is in the name: a table may feed the same channel of two event tables. */
function nameOf(channel: string, eventSchema: string, event?: TriggerEvent): string {
  const named = eventSchema === DEFAULT_SCHEMA ? channel : `${eventSchema}/${channel}`;
  return triggerName('sse_event_', named, event === undefined ? '' : `_${event}`);
}

/** Refuses a table that is not there, and the event table itself, whose events would each be one more. */
function tableCheck(on: string, eventSchema: string): string {
  const schema = quoteName(eventSchema);
  const body = `declare event_table constant regclass := to_regclass(${quoteText(`${schema}.event`)}); begin
  if event_table is null then
    raise exception 'There is no event table in the schema %. Create it first, by eventTableSql() or sql --event-table.', ${quoteText(schema)}
      using errcode = 'undefined_table';
  end if;
  if coalesce(pg_catalog.pg_partition_root(${quoteText(on)}::regclass), ${quoteText(on)}::regclass) = event_table then
    raise exception 'The table % is the event table. A trigger there would write an event for each event, without an end: choose another table.', ${quoteText(on)}
      using errcode = 'wrong_object_type';
  end if;
end
`;
  return `do ${quoteBody(body)};\n`;
}

/** Refuses a column that is not there now, and not only with the first changed row. */
function columnCheck(on: string, columns: readonly string[]): string {
  const body = `declare missing text; begin
  select c into missing from unnest(array[${columns.map(quoteText).join(', ')}]) as c
  where not exists (select from pg_catalog.pg_attribute a
    where a.attrelid = ${quoteText(on)}::regclass and a.attname = c and a.attnum > 0 and not a.attisdropped);
  if missing is not null then
    raise exception 'The table % has no column "%".', ${quoteText(on)}, missing using errcode = 'undefined_column';
  end if;
end
`;
  return `do ${quoteBody(body)};\n`;
}
