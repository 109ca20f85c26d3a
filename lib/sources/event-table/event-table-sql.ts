import { quoteName, quoteText } from '../postgres/identifier.js';
import { checkSchema } from './event-table.options.js';
import { historySql } from './history-sql.js';
import { publishingSql } from './publishing-sql.js';
import { readingSql } from './reading-sql.js';
import { retentionSql } from './retention-sql.js';
import { rowEventSql } from './row-event-sql.js';
import { idCanComeBack, nameCanBeSent, retryCanBeWaited } from './sendable-sql.js';

/** The version of the schema that this release works with. */
export const SCHEMA_VERSION = 3;

/** What `eventTableSql` writes. */
export interface EventTableSqlOptions {
  /** The schema that holds the table and its functions. Default: `sse`. */
  readonly schema?: string | undefined;
}

/**
 * Writes the SQL that creates the event table and its functions, or upgrades them. It may be run
 * again at any time, needs no superuser, and belongs in a migration.
 *
 * @throws SseError `INVALID_OPTION` for a schema that cannot be an identifier.
 */
export function eventTableSql({ schema = 'sse' }: EventTableSqlOptions = {}): string {
  return schemaSql(schema, SCHEMA_VERSION);
}

/** The same up to an older version, to test upgrades with. */
export function schemaSql(schema: string, version: number): string {
  checkSchema(schema);
  const s = quoteName(schema);
  // What triggers call is there before them.
  const steps = STEPS.slice(0, version).map((step, index) => guarded(s, index + 1, step(s)));
  return [
    opening(schema, version),
    historySql(s),
    ...steps,
    readingSql(s),
    publishingSql(s, schema),
    rowEventSql(s, schema),
    retentionSql(s),
    `-- The first partitions, if there are none.
do $sse$ begin perform ${s}.extend(1000000, 3); end $sse$;
insert into ${s}.meta (version)
select ${version} where not exists (select from ${s}.meta where version >= ${version});
`,
  ].join('\n');
}

/**
 * Each step leads from one version to the next, and is written once and for all. It may find what
 * it makes: whoever empties all tables, as test suites do, empties `meta` as well.
 */
const STEPS: readonly ((s: string) => string)[] = [
  (s) => `  create table if not exists ${s}.event (
    -- Ids have to be taken one by one: a reader passes a hole only once it cannot be filled any more.
    id bigint generated always as identity (cache 1),
    topic text not null,
    event text,
    data text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (id)
  ) partition by range (id);
  create index if not exists event_topic_id on ${s}.event (topic, id);`,
  (s) => `  alter table ${s}.event
    add column if not exists own_id text,
    add column if not exists retry integer,
    add column if not exists done boolean not null default false;
  -- A hash, as an own id together with its topic may be larger than an index takes.
  create index if not exists event_own_id on ${s}.event (hashtextextended(own_id, 0)) where own_id is not null;`,
  (s) => `  -- Not validated, as readers check the rows that are there already, one by one.
  alter table ${s}.event
    drop constraint if exists event_can_be_sent,
    drop constraint if exists own_id_can_come_back,
    drop constraint if exists retry_can_be_waited;
  alter table ${s}.event
    add constraint event_can_be_sent check (${nameCanBeSent('event')}) not valid,
    add constraint own_id_can_come_back check (${idCanComeBack('own_id')}) not valid,
    add constraint retry_can_be_waited check (${retryCanBeWaited('retry')}) not valid,
    -- Larger ids are not exact in JavaScript.
    alter id set maxvalue ${Number.MAX_SAFE_INTEGER};
  create table if not exists ${s}.history (
    one boolean primary key default true check (one),
    removed bigint not null default 0,
    rewritten bigint not null default 0
  );
  insert into ${s}.history default values on conflict do nothing;
  grant select on ${s}.history to public;
  grant select on sequence ${s}.event_id_seq to public;
  drop trigger if exists event_id on ${s}.event;
  create trigger event_id before insert on ${s}.event for each row
    when (new.id is distinct from pg_sequence_last_value(${quoteText(`${s}.event_id_seq`)}::regclass))
    execute function ${s}.given_id();
  perform ${s}.note_removals(${quoteText(`${s}.event`)}),
    (select count(${s}.note_removals(inhrelid)) from pg_inherits where inhparent = ${quoteText(`${s}.event`)}::regclass);`,
];

function opening(schema: string, version: number): string {
  const s = quoteName(schema);
  return `-- The event table of nestjs-sse-channels, version ${version}. May be run again at any time.
do $sse$ begin
  -- Not "create schema if not exists", which asks for the privilege even where the schema exists.
  if to_regnamespace(${quoteText(s)}) is null then
    create schema ${s};
  end if;
end $sse$;
create table if not exists ${s}.meta (
  version integer primary key,
  installed_at timestamptz not null default now()
);
do $sse$ begin
  if exists (select from ${s}.meta where version > ${version}) then
    raise exception 'The event table is newer than version ${version}.'
      using hint = 'Use the release of nestjs-sse-channels that installed it, or a later one.';
  end if;
end $sse$;
`;
}

function guarded(s: string, version: number, sql: string): string {
  return `do $sse$ begin
if not exists (select from ${s}.meta where version >= ${version}) then
${sql}
end if;
end $sse$;
`;
}
