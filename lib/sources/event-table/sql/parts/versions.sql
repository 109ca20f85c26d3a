-- Each step leads from one version to the next, and is written once and for all. It may find what it
-- makes: somebody who empties all tables, as test suites do, empties "meta" as well.
do $sse$ begin
if to_regclass('sse.event') is not null and not exists (select from sse.meta where version >= 4) then
  -- The steps need stronger locks one after the other. Instances that are at work could take theirs in
  -- between, and both would wait for each other. So we take the strongest now, in the order of extend().
  perform pg_advisory_xact_lock(hashtextextended('nestjs-sse-channels partitions "sse"', 0));
  lock table sse.event in access exclusive mode;
end if;
end $sse$;

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

do $sse$ begin
if not exists (select from sse.meta where version >= 4) then
  -- The names of presence. publish() refuses them, so that only put_seats() and remove_seats() give them.
  alter table sse.event
    drop constraint if exists event_can_be_sent,
    add constraint event_can_be_sent check (event !~ E'^sse:(\x3f!(join|leave)$)|[\r\n]') not valid;
  -- The instances that have seats. "beat": the last sign of life; "alive": for how many milliseconds it
  -- holds. Up to the revision "settled" no call is under way.
  create table if not exists sse.instance (
    id uuid primary key,
    beat timestamptz not null,
    alive integer not null,
    beats bigint not null default 0,
    settled bigint not null default 0,
    dead boolean not null default false
  ) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
  -- The channels that have seats. Whoever changes seats locks their channels first, in the order of names.
  create table if not exists sse.presence (
    channel text collate "C" primary key,
    members bigint not null default 0,
    connections bigint not null default 0,
    changed bigint not null default 0
  ) with (fillfactor = 50);
  -- The connections of an instance for a client in a channel. "member": a digest of the id; empty for those
  -- without. "client": the id as JSON. "place": the newest connection stands last. A seat without connections
  -- stays until no late call can put it again.
  create table if not exists sse.seat (
    channel text collate "C",
    member text collate "C",
    instance uuid,
    client text not null,
    info text,
    since bigint not null,
    connections integer not null,
    announced boolean not null,
    place bigint not null,
    revision bigint not null,
    outcome text not null,
    primary key (channel, member, instance)
  ) with (fillfactor = 80);
  create index if not exists seat_instance on sse.seat (instance);
  if not exists (select from pg_trigger where tgrelid = 'sse.seat'::regclass and not tgisinternal) then
    create trigger forget_seats after truncate on sse.instance for each statement execute function sse.forget_seats();
    create trigger forget_seats after truncate on sse.presence for each statement execute function sse.forget_seats();
    create trigger forget_seats after truncate on sse.seat for each statement execute function sse.forget_seats();
  end if;
end if;
end $sse$;

do $sse$ begin
if not exists (select from sse.meta where version >= 5) then
  -- Runs: each has a log of its own. "lease" and "keep" in milliseconds; "till": until when the lease lasts, or
  -- since when it has ended. "ending": who has ended it, "owner" or "other"; null while it is active.
  create table if not exists sse.run (
    number bigint generated always as identity primary key,
    channel text collate "C" not null,
    id text collate "C" not null,
    format text not null,
    lease bigint not null,
    keep bigint not null,
    head bigint not null default 0,
    ending text,
    till timestamptz not null,
    unique (channel, id)
  ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
  create unique index if not exists run_active on sse.run (channel) where ending is null;
  -- "chunk": JSON in ASCII, as the database may be in any encoding.
  create table if not exists sse.run_chunk (
    run bigint,
    seq bigint,
    chunk text not null,
    primary key (run, seq)
  );
  -- The idempotency keys of events that were published, until they expire. The table of events cannot hold them, as
  -- it is partitioned by id: nothing else can be unique there.
  create table if not exists sse.once (
    topic text collate "C",
    key text collate "C",
    event_id bigint not null,
    own_id text,
    timeline integer not null,
    expires timestamptz not null,
    primary key (topic, key)
  ) with (autovacuum_vacuum_scale_factor = 0.05);
  create index if not exists once_expires on sse.once (expires);
end if;
end $sse$;
