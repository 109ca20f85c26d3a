-- Each step leads from one version to the next, and is written once and for all. It may find what it
-- makes: somebody who empties all tables, as test suites do, empties "meta" as well.
do $sse$ begin
if not exists (select from sse.meta where version >= 1) then
  create table if not exists sse.event (
    -- Ids have to be taken one by one: a reader passes a hole only once nothing can fill it any more.
    id bigint generated always as identity (cache 1),
    topic text not null,
    event text,
    data text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (id)
  ) partition by range (id);
  create index if not exists event_topic_id on sse.event (topic, id);
end if;
end $sse$;

do $sse$ begin
if not exists (select from sse.meta where version >= 2) then
  alter table sse.event
    add column if not exists own_id text,
    add column if not exists retry integer,
    add column if not exists done boolean not null default false;
  -- A hash, because an own id together with its topic may be larger than an index takes.
  create index if not exists event_own_id on sse.event (hashtextextended(own_id, 0)) where own_id is not null;
end if;
end $sse$;

do $sse$ begin
if not exists (select from sse.meta where version >= 3) then
  alter table sse.event
    drop constraint if exists event_can_be_sent,
    drop constraint if exists own_id_can_come_back,
    drop constraint if exists retry_can_be_waited;
  -- Short and without the length, as Postgres parses a constraint anew for each statement. Not
  -- validated, as readers check the rows that are there already, one by one.
  alter table sse.event
    add constraint event_can_be_sent check (
--!include name.sql
    ) not valid,
    add constraint own_id_can_come_back check (
--!include own-id.sql
    ) not valid,
    add constraint retry_can_be_waited check (
--!include retry.sql
    ) not valid,
    -- Larger ids are not exact in JavaScript.
    alter id set maxvalue 9007199254740991;
  -- One row. "removed": events up to this id were removed by hand, or others were written between
  -- them. "rewritten": how often others were written between them.
  create table if not exists sse.history (
    one boolean primary key default true check (one),
    removed bigint not null default 0,
    rewritten bigint not null default 0
  );
  insert into sse.history default values on conflict do nothing;
  grant select on sse.history to public;
  grant select on sequence sse.event_id_seq to public;
  drop trigger if exists event_id on sse.event;
  create trigger event_id before insert on sse.event for each row
    when (new.id is distinct from pg_sequence_last_value('sse.event_id_seq'::regclass))
    execute function sse.given_id();
  perform sse.note_removals('sse.event'),
    (select count(sse.note_removals(inhrelid)) from pg_inherits where inhparent = 'sse.event'::regclass);
end if;
end $sse$;

-- "removed_at": when "removed" was last noted. Without "if not exists", which locks the table each time.
do $sse$ begin
  if not exists (
    select from pg_attribute where attrelid = 'sse.history'::regclass and attname = 'removed_at'
  ) then
    alter table sse.history add column removed_at timestamptz;
  end if;
end $sse$;
