-- The event table of nestjs-sse-channels, version 4. May be run again at any time.
do $sse$ begin
  -- Not "create schema if not exists", which asks for the privilege even where the schema exists.
  if to_regnamespace('"sse"') is null then
    create schema "sse";
  end if;
end $sse$;
create table if not exists "sse".meta (
  version integer primary key,
  installed_at timestamptz not null default now()
);
do $sse$ begin
  if exists (select from "sse".meta where version > 4) then
    raise exception 'The event table is newer than version 4.'
      using hint = 'Use the release of nestjs-sse-channels that installed it, or a later one.';
  end if;
end $sse$;

-- Keeps the ids in order when rows come or go in another way than by publish() and the retention.
-- Triggers of version 3 and later call these functions.

-- For a row whose id may not have been taken just now: COPY and OVERRIDING SYSTEM VALUE bring theirs.
create or replace function "sse".given_id() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  last bigint;
begin
  begin
    if new.id = currval('"sse".event_id_seq'::regclass) then
      return new; -- Others have taken ids since.
    end if;
  exception when object_not_in_prerequisite_state then
    null; -- This session has taken none.
  end;
  last := coalesce(pg_sequence_last_value('"sse".event_id_seq'::regclass), 0);
  if new.id > last then
    -- The ids up to it are taken one after another, as others may take some at the same time.
    while new.id > last loop
      last := nextval('"sse".event_id_seq'::regclass);
    end loop;
  elsif coalesce(current_setting('sse.rewritten', true), '') = '' then
    -- Readers have passed it: they announce a gap, once for the transaction.
    insert into "sse".history as h (removed, rewritten, removed_at) values (last, 1, clock_timestamp())
    on conflict (one) do update set removed = greatest(h.removed, excluded.removed), rewritten = h.rewritten + 1,
      removed_at = excluded.removed_at;
    perform set_config('sse.rewritten', 'yes', true);
  end if;
  return new;
end $sse$;

-- After DELETE, and before and after TRUNCATE, neither of which the retention needs: notes up to where
-- events were removed, and keeps RESTART IDENTITY from giving out ids again, at which clients may stand.
create or replace function "sse".note_removal() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  last bigint := coalesce(pg_sequence_last_value('"sse".event_id_seq'::regclass), 0);
  gone_to bigint;
  newest record;
begin
  if tg_op = 'DELETE' then
    select id, created_at into newest from gone order by id desc limit 1;
    gone_to := newest.id;
  elsif tg_when = 'BEFORE' then
    execute format('select id, created_at from %s order by id desc limit 1', tg_relid::regclass) into newest;
    perform set_config('sse.truncated', last::text, true);
  else
    if last < current_setting('sse.truncated')::bigint then
      last := setval('"sse".event_id_seq'::regclass, current_setting('sse.truncated')::bigint);
    end if;
    gone_to := least(last, (select p.high - 1 from "sse".partitions() p where p.name = tg_table_name));
  end if;
  if tg_op = 'DELETE' or tg_when = 'BEFORE' then
    -- Somebody has set the sequence back since the last removal, and this event took the place of another.
    update "sse".history set rewritten = rewritten + 1, removed_at = clock_timestamp()
    where newest.id <= removed and newest.created_at > removed_at;
  end if;
  if gone_to > 0 then
    insert into "sse".history as h (removed, removed_at) values (gone_to, clock_timestamp())
    on conflict (one) do update set removed_at = excluded.removed_at,
      removed = case when h.removed > last then excluded.removed else greatest(h.removed, excluded.removed) end,
      -- Somebody has set the sequence back in between.
      rewritten = h.rewritten + (h.removed > last)::integer;
  end if;
  return null;
end $sse$;

-- Creates the triggers that note removals from the table, or from one of its partitions.
create or replace function "sse".note_removals(part regclass) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $sse$
declare
  moment text;
begin
  foreach moment in array array['before truncate', 'after truncate', 'after delete'] loop
    execute format('drop trigger if exists %I on %s', 'event ' || moment, part);
    execute format('create trigger %I %s on %s %s for each statement execute function "sse".note_removal()',
      'event ' || moment, moment, part, case when moment ~ 'delete' then 'referencing old table as gone' else '' end);
  end loop;
end $sse$;

-- Brings the sequence and the history in line with the rows. Takes ids up to the largest one in the
-- table, as a restore brings rows without taking their ids; others may take some at the same time.
-- False when the caller must call it again.
create or replace function "sse".catch_up() returns boolean language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  top bigint := coalesce((select max(id) from "sse".event), 0);
  last bigint := coalesce(pg_sequence_last_value('"sse".event_id_seq'::regclass), 0);
begin
  for taken in 1 .. 100000 loop
    exit when last >= top;
    last := nextval('"sse".event_id_seq'::regclass);
  end loop;
  -- Somebody has set the sequence back: new events below are not those that were removed.
  if exists (select from "sse".history where removed > last) then
    update "sse".history set removed = last, rewritten = rewritten + 1 where removed > last;
  end if;
  return last >= top;
end $sse$;

-- After TRUNCATE of one of the tables the others tell what is not so: all instances put their seats again.
create or replace function "sse".forget_seats() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  delete from "sse".instance;
  delete from "sse".seat;
  delete from "sse".presence;
  return null;
end $sse$;

revoke execute on function "sse".note_removals(regclass) from public;

-- Each step leads from one version to the next, and is written once and for all. It may find what it
-- makes: somebody who empties all tables, as test suites do, empties "meta" as well.
do $sse$ begin
if not exists (select from "sse".meta where version >= 1) then
  create table if not exists "sse".event (
    -- Ids have to be taken one by one: a reader passes a hole only once nothing can fill it any more.
    id bigint generated always as identity (cache 1),
    topic text not null,
    event text,
    data text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (id)
  ) partition by range (id);
  create index if not exists event_topic_id on "sse".event (topic, id);
end if;
end $sse$;

do $sse$ begin
if not exists (select from "sse".meta where version >= 2) then
  alter table "sse".event
    add column if not exists own_id text,
    add column if not exists retry integer,
    add column if not exists done boolean not null default false;
  -- A hash, because an own id together with its topic may be larger than an index takes.
  create index if not exists event_own_id on "sse".event (hashtextextended(own_id, 0)) where own_id is not null;
end if;
end $sse$;

do $sse$ begin
if not exists (select from "sse".meta where version >= 3) then
  alter table "sse".event
    drop constraint if exists event_can_be_sent,
    drop constraint if exists own_id_can_come_back,
    drop constraint if exists retry_can_be_waited;
  -- Short and without the length, as Postgres parses a constraint anew for each statement. Not
  -- validated, as readers check the rows that are there already, one by one.
  alter table "sse".event
    add constraint event_can_be_sent check (
-- One line, and no name of this module's own.
event !~ $r$^sse:|[\r\n]$r$
    ) not valid,
    add constraint own_id_can_come_back check (
-- An id comes back in a header, which has no control characters, and no blanks at its ends. It
-- neither asks for the oldest event nor is a position. \x3f is a question mark.
own_id ~ E'^(\x3f! |earliest$|[0-9]+[.][0-9]+$)[^\\x01-\\x1f\\x7f]+(\x3f<! )$'
    ) not valid,
    add constraint retry_can_be_waited check (
-- A browser waits for no time below zero.
retry >= 0
    ) not valid,
    -- Larger ids are not exact in JavaScript.
    alter id set maxvalue 9007199254740991;
  -- One row. "removed": events up to this id were removed by hand, or others were written between
  -- them. "rewritten": how often others were written between them.
  create table if not exists "sse".history (
    one boolean primary key default true check (one),
    removed bigint not null default 0,
    rewritten bigint not null default 0
  );
  insert into "sse".history default values on conflict do nothing;
  grant select on "sse".history to public;
  grant select on sequence "sse".event_id_seq to public;
  drop trigger if exists event_id on "sse".event;
  create trigger event_id before insert on "sse".event for each row
    when (new.id is distinct from pg_sequence_last_value('"sse".event_id_seq'::regclass))
    execute function "sse".given_id();
  perform "sse".note_removals('"sse".event'),
    (select count("sse".note_removals(inhrelid)) from pg_inherits where inhparent = '"sse".event'::regclass);
end if;
end $sse$;

-- "removed_at": when "removed" was last noted. Without "if not exists", which locks the table each time.
do $sse$ begin
  if not exists (
    select from pg_attribute where attrelid = '"sse".history'::regclass and attname = 'removed_at'
  ) then
    alter table "sse".history add column removed_at timestamptz;
  end if;
end $sse$;

do $sse$ begin
if not exists (select from "sse".meta where version >= 4) then
  -- The names of presence. publish() refuses them, so that only put_seats() and remove_seats() give them.
  alter table "sse".event
    drop constraint if exists event_can_be_sent,
    add constraint event_can_be_sent check (event !~ E'^sse:(\x3f!(join|leave)$)|[\r\n]') not valid;
  -- The instances that have seats. "beat": the last sign of life; "alive": for how many milliseconds it
  -- holds. Up to the revision "settled" no call is under way.
  create table if not exists "sse".instance (
    id uuid primary key,
    beat timestamptz not null,
    alive integer not null,
    beats bigint not null default 0,
    settled bigint not null default 0,
    dead boolean not null default false
  ) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
  -- The channels that have seats. Whoever changes seats locks their channels first, in the order of names.
  create table if not exists "sse".presence (
    channel text collate "C" primary key,
    members bigint not null default 0,
    connections bigint not null default 0,
    changed bigint not null default 0
  ) with (fillfactor = 50);
  -- The connections of an instance for a client in a channel. "member": a digest of the id; empty for those
  -- without. "client": the id as JSON. "place": the newest connection stands last. A seat without connections
  -- stays until no late call can put it again.
  create table if not exists "sse".seat (
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
  create index if not exists seat_instance on "sse".seat (instance);
  if not exists (select from pg_trigger where tgrelid = '"sse".seat'::regclass and not tgisinternal) then
    create trigger forget_seats after truncate on "sse".instance for each statement execute function "sse".forget_seats();
    create trigger forget_seats after truncate on "sse".presence for each statement execute function "sse".forget_seats();
    create trigger forget_seats after truncate on "sse".seat for each statement execute function "sse".forget_seats();
  end if;
end if;
end $sse$;

-- The functions that the reader uses.

-- The transactions that have written to the table, or are about to, and have not ended.
-- The locks on partitions count as well: a program may write to one directly.
create or replace function "sse".writers() returns text[] language sql volatile
set search_path = pg_catalog, pg_temp as $sse$
  select coalesce(array_agg(distinct virtualtransaction), '{}') from pg_locks
  where locktype = 'relation' and mode = 'RowExclusiveLock' and granted
    and database = (select oid from pg_database where datname = current_database())
    and relation in (
      select '"sse".event'::regclass
      union all select inhrelid from pg_inherits where inhparent = '"sse".event'::regclass)
$sse$;

-- The attached partitions: each takes ids from "low" to below "high".
create or replace function "sse".partitions(
  out name text, out low bigint, out high bigint, out pending boolean
) returns setof record language sql volatile
set search_path = pg_catalog, pg_temp as $sse$
  select c.relname::text, bound[1]::bigint, bound[2]::bigint,
    -- The column came with PostgreSQL 14.
    coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false)
  from pg_inherits i join pg_class c on c.oid = i.inhrelid,
    regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('{0,1}(\d+)'{0,1}\) TO \('{0,1}(\d+)'{0,1}\)$$) bound
  where i.inhparent = '"sse".event'::regclass
$sse$;

create or replace function "sse".timeline() returns integer language sql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
  select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
$sse$;

-- Below this id, events have been dropped. In PL/pgSQL, which keeps the plan: it is called often.
create or replace function "sse".floor() returns bigint language plpgsql volatile
set search_path = pg_catalog, pg_temp as $sse$
begin
  return greatest(
    coalesce((select min(low) from "sse".partitions() where not pending), 1),
    (select removed + 1 from "sse".history where one));
end $sse$;

-- Where the table stands: every id up to "last" has been taken.
create or replace function "sse".head(
  out timeline integer, out last bigint, out floor bigint, out incarnation oid
) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  timeline := "sse".timeline();
  floor := "sse".floor();
  last := (select case when is_called then last_value else 0 end from "sse".event_id_seq);
  incarnation := '"sse".event'::regclass::oid;
end $sse$;

-- Returns once there is an event above "seen", or after about "patience" milliseconds.
create or replace function "sse".watch(seen bigint, every integer, patience integer) returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $sse$
declare
  top bigint;
begin
  -- Counted, as the server's clock may be set back meanwhile.
  for look in 0 .. greatest(patience, 0) / every loop
    if look > 0 then
      perform pg_sleep(every / 1000.0);
    end if;
    select max(id) into top from "sse".event where id > seen;
    exit when top is not null;
  end loop;
  return coalesce(top, seen);
end $sse$;

-- The functions that publishers use.

-- Refuses what could not be sent as Server-Sent Events.
create or replace function "sse".check_event(topic text, event text, own_id text, retry integer)
returns void language plpgsql immutable set search_path = pg_catalog, pg_temp as $sse$
begin
  if not (
-- The name of a channel, as checkChannelName() takes it, and none of this module's own. Never null.
octet_length(coalesce(topic, '')) between 1 and 1024 and topic !~ $r$^sse:|[\x01-\x1f\x7f]$r$
  ) then
    raise exception 'sse: the topic is empty, longer than 1024 bytes, begins with "sse:", or has control characters' using errcode = '22023';
  end if;
  if length(event) > 1024 or not (
-- One line, and no name of this module's own.
event !~ $r$^sse:|[\r\n]$r$
  ) then
    raise exception 'sse: the event''s name is "%". Give one line of at most 1024 characters that does not begin with "sse:".', left(event, 80)
      using errcode = '22023';
  end if;
  if length(own_id) > 1024 or not (
-- An id comes back in a header, which has no control characters, and no blanks at its ends. It
-- neither asks for the oldest event nor is a position. \x3f is a question mark.
own_id ~ E'^(\x3f! |earliest$|[0-9]+[.][0-9]+$)[^\\x01-\\x1f\\x7f]+(\x3f<! )$'
  ) then
    raise exception 'sse: the event''s id is "%". Give one line of 1 to 1024 characters without control characters, without blanks at its ends, not "earliest", and nothing that could be a position such as 1.42.', left(own_id, 80)
      using errcode = '22023';
  end if;
  if not (
-- A browser waits for no time below zero.
retry >= 0
  ) then
    raise exception 'sse: retry is %, and must be at least 0 milliseconds', retry using errcode = '22023';
  end if;
end $sse$;

-- Publishes one event within the caller's transaction.
create or replace function "sse".publish(
  topic text, data text, event text default null, id text default null,
  retry integer default null, done boolean default false
) returns bigint language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  own_id alias for id;
  result bigint;
begin
  -- We call the check for its message only, because a call costs more than the conditions.
  if not (
-- Each condition is true, or null for a column that is null.
-- The name of a channel, as checkChannelName() takes it, and none of this module's own. Never null.
octet_length(coalesce(topic, '')) between 1 and 1024 and topic !~ $r$^sse:|[\x01-\x1f\x7f]$r$
and length(event) <= 1024 and
-- One line, and no name of this module's own.
event !~ $r$^sse:|[\r\n]$r$
and length(own_id) <= 1024 and
-- An id comes back in a header, which has no control characters, and no blanks at its ends. It
-- neither asks for the oldest event nor is a position. \x3f is a question mark.
own_id ~ E'^(\x3f! |earliest$|[0-9]+[.][0-9]+$)[^\\x01-\\x1f\\x7f]+(\x3f<! )$'
and
-- A browser waits for no time below zero.
retry >= 0
  ) then
    perform "sse".check_event($1, $3, $4, $5);
  end if;
  insert into "sse".event as e (topic, data, event, own_id, retry, done)
  values ($1, $2, $3, $4, $5, coalesce($6, false)) returning e.id into result;
-- Wakes the readers at commit.
-- Transactions that notify commit one after another, in the whole cluster. So by default one notifies
-- only while no other open transaction does; the waker sees to the rest. PREPARE TRANSACTION fails
-- after a notification, so none is sent where transactions can be prepared.
case coalesce(current_setting('sse.wake', true), '')
  when 'off' then null;
  when 'on' then perform pg_notify('sse', '');
  else
    if current_setting('max_prepared_transactions') = '0'
      and pg_try_advisory_xact_lock(hashtextextended('nestjs-sse-channels wake sse', 0)) then
      perform pg_notify('sse', '');
    end if;
end case;
  return result;
end $sse$;

-- Publishes many events in their order, and wakes nobody.
create or replace function "sse".publish_all(
  topics text[], datas text[], events text[], own_ids text[], retries integer[], dones boolean[]
) returns setof bigint language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  perform "sse".check_event(t.topic, t.event, t.own_id, t.retry)
  from unnest($1, $3, $4, $5) as t (topic, event, own_id, retry)
  where not (
-- Each condition is true, or null for a column that is null.
-- The name of a channel, as checkChannelName() takes it, and none of this module's own. Never null.
octet_length(coalesce(topic, '')) between 1 and 1024 and topic !~ $r$^sse:|[\x01-\x1f\x7f]$r$
and length(event) <= 1024 and
-- One line, and no name of this module's own.
event !~ $r$^sse:|[\r\n]$r$
and length(own_id) <= 1024 and
-- An id comes back in a header, which has no control characters, and no blanks at its ends. It
-- neither asks for the oldest event nor is a position. \x3f is a question mark.
own_id ~ E'^(\x3f! |earliest$|[0-9]+[.][0-9]+$)[^\\x01-\\x1f\\x7f]+(\x3f<! )$'
and
-- A browser waits for no time below zero.
retry >= 0
  );
  return query
    insert into "sse".event as e (topic, data, event, own_id, retry, done)
    select t.topic, t.data, t.event, t.own_id, t.retry, t.done
    from unnest($1, $2, $3, $4, $5, $6) with ordinality
      as t (topic, data, event, own_id, retry, done, place)
    order by t.place
    returning e.id;
end $sse$;

-- Publishes a command to all instances. Later instances need those that are kept.
create or replace function "sse".command(data text, kept boolean) returns bigint language sql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
  insert into "sse".event (topic, data, event) values (concat('sse:', 'control'), $1, case when $2 then 'kept' end) returning id
$sse$;
revoke execute on function "sse".command(text, boolean) from public;

-- The trigger functions that turn changed rows into events.

-- Fills a template such as order:{id} from a row, percent-encoded as channelName() does.
-- A row without a value belongs to no channel: null.
create or replace function "sse".fill(template text, r jsonb) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $sse$
declare
  result text := '';
  rest text := template;
  part text[];
  value text;
begin
  loop
    part := regexp_match(rest, '^([^{]*)[{]([^{}]*)[}](.*)$');
    exit when part is null;
    if not jsonb_exists(r, part[2]) then
      raise exception 'sse: the channel "%" names the column "%", which the table does not have', template, part[2]
        using errcode = 'undefined_column', hint = 'Create the trigger anew, with a column of the table.';
    end if;
    value := r ->> part[2];
    if coalesce(value, '') = '' then
      return null;
    end if;
    if value !~ '^[A-Za-z0-9_.~-]*$' then
      select string_agg(
        case when c ~ '[A-Za-z0-9_.~-]' then c
          else upper(regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', $$%\1$$, 'g')) end,
        '' order by place)
      into value from regexp_split_to_table(value, '') with ordinality as t (c, place);
    end if;
    result := result || part[1] || value;
    rest := part[3];
  end loop;
  return result || rest;
end $sse$;

-- The listed columns of a row as JSON.
create or replace function "sse".pick(r jsonb, columns text[]) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $sse$
begin
  if not jsonb_exists_all(r, columns) then
    raise exception 'sse: the trigger names the column "%", which the table does not have',
        (select c from unnest(columns) as c where not jsonb_exists(r, c) limit 1)
      using errcode = 'undefined_column', hint = 'Create the trigger anew, with columns of the table.';
  end if;
  return (
    select '{' || string_agg(to_json(c)::text || ':' || (r -> c)::text, ',' order by place) || '}'
    from unnest(columns) with ordinality as t (c, place));
end $sse$;

-- For each row: the arguments are the channel, and the columns to send; none for all.
create or replace function "sse".row_event() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  r record;
  channel text := tg_argv[0];
  data text;
begin
  if tg_op = 'DELETE' then r := old; else r := new; end if;
  if tg_nargs = 1 then
    data := row_to_json(r)::text;
  else
    data := "sse".pick(to_jsonb(r), tg_argv[1 : tg_nargs - 1]);
  end if;
  if strpos(channel, '{') > 0 then
    channel := "sse".fill(channel, to_jsonb(r));
    if channel is null then
      return null;
    end if;
  end if;
  insert into "sse".event (topic, event, data) values (channel, lower(tg_op), data);
-- Wakes the readers at commit.
-- Transactions that notify commit one after another, in the whole cluster. So by default one notifies
-- only while no other open transaction does; the waker sees to the rest. PREPARE TRANSACTION fails
-- after a notification, so none is sent where transactions can be prepared.
case coalesce(current_setting('sse.wake', true), '')
  when 'off' then null;
  when 'on' then perform pg_notify('sse', '');
  else
    if current_setting('max_prepared_transactions') = '0'
      and pg_try_advisory_xact_lock(hashtextextended('nestjs-sse-channels wake sse', 0)) then
      perform pg_notify('sse', '');
    end if;
end case;
  return null;
end $sse$;

-- For each statement: the same for all of its rows, which have the name sse_rows in the trigger.
create or replace function "sse".statement_event() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  columns text[] := tg_argv[1 : tg_nargs - 1];
begin
  insert into "sse".event (topic, event, data)
  select t.channel, lower(tg_op), t.data from (
    select case when strpos(tg_argv[0], '{') > 0 then "sse".fill(tg_argv[0], to_jsonb(r)) else tg_argv[0] end as channel,
      case when tg_nargs = 1 then row_to_json(r)::text else "sse".pick(to_jsonb(r), columns) end as data
    from sse_rows r) t
  where t.channel is not null;
  if found then
-- Wakes the readers at commit.
-- Transactions that notify commit one after another, in the whole cluster. So by default one notifies
-- only while no other open transaction does; the waker sees to the rest. PREPARE TRANSACTION fails
-- after a notification, so none is sent where transactions can be prepared.
case coalesce(current_setting('sse.wake', true), '')
  when 'off' then null;
  when 'on' then perform pg_notify('sse', '');
  else
    if current_setting('max_prepared_transactions') = '0'
      and pg_try_advisory_xact_lock(hashtextextended('nestjs-sse-channels wake sse', 0)) then
      perform pg_notify('sse', '');
    end if;
end case;
  end if;
  return null;
end $sse$;

-- The functions that create and drop partitions. They lock the table before they use its sequence,
-- as TRUNCATE ... RESTART IDENTITY does: otherwise the two could wait for each other, and one would fail.

-- Creates a partition of ids from "low" to below "high".
-- "create table .. partition of" would wait for every open writer, and make others wait.
create or replace function "sse".add_partition(low bigint, high bigint) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $sse$
begin
  execute format('create table "sse".%I (like "sse".event including all excluding identity)', 'event_' || low);
  execute format('alter table "sse".event attach partition "sse".%I for values from (%s) to (%s)',
    'event_' || low, low, high);
  perform "sse".note_removals(format('"sse".%I', 'event_' || low)::regclass);
end $sse$;

-- Creates partitions of "size" ids until there are "ahead" of them above the last id, and one for
-- the next id.
create or replace function "sse".extend(size bigint, ahead integer) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  last bigint;
  above bigint;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('nestjs-sse-channels partitions "sse"', 0));
  lock table "sse".event in access share mode;
  select case when is_called then last_value else 0 end into last from "sse".event_id_seq;
  if not exists (select from "sse".partitions() p where p.low <= last + 1 and p.high > last + 1) then
    select min(p.low) into above from "sse".partitions() p where p.low > last + 1;
    perform "sse".add_partition(last + 1, least(last + 1 + size, above));
    made := made + 1;
  end if;
  while (select count(*) from "sse".partitions() p where p.low > last) < ahead loop
    select max(p.high) into above from "sse".partitions() p;
    perform "sse".add_partition(above, above + size);
    made := made + 1;
  end loop;
  return made;
end $sse$;

-- The partitions with their size in bytes, indexes included, and when their newest event was written.
create or replace function "sse".usage(
  out name text, out low bigint, out high bigint, out pending boolean,
  out bytes bigint, out oldest timestamptz, out newest timestamptz, out last bigint
) returns setof record language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  lock table "sse".event in access share mode;
  select case when is_called then last_value else 0 end into last from "sse".event_id_seq;
  for name, low, high, pending in select * from "sse".partitions() order by 2 loop
    begin
      bytes := pg_total_relation_size(format('"sse".%I', name)::regclass);
      execute format('select created_at from "sse".%I order by id limit 1', name) into oldest;
      execute format('select created_at from "sse".%I order by id desc limit 1', name) into newest;
    exception when undefined_table then
      continue; -- Another instance has just dropped it.
    end;
    return next;
  end loop;
end $sse$;

-- Goes on in the next partition, so that this one can be dropped as a whole. Leaves out ids, which
-- is done only far from the partition's end: others take ids at the same time.
create or replace function "sse".roll() returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  next bigint;
  size bigint;
  last bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('nestjs-sse-channels partitions "sse"', 0));
  lock table "sse".event in access share mode;
  select case when is_called then last_value else 0 end into last from "sse".event_id_seq;
  select p.high, p.high - p.low into next, size from "sse".partitions() p
  where p.low <= last and p.high > last
    and exists (select from "sse".partitions() n where n.low = p.high and not n.pending);
  if next is null or next - last <= size / 2 then
    return false;
  end if;
  perform setval('"sse".event_id_seq'::regclass, next - 1);
  return true;
end $sse$;

-- Drops a partition whose ids are all taken, unless another does at this moment or has done. It
-- waits for open writers only briefly, as others have to wait behind it.
create or replace function "sse".drop_partition(name text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '100ms' as $sse$
begin
  if not pg_try_advisory_xact_lock(hashtextextended('nestjs-sse-channels partitions "sse"', 0)) then
    return;
  end if;
  lock table "sse".event in access share mode;
  if not exists (select from "sse".partitions() p where p.name = $1) then
    return;
  end if;
  if not exists (select from "sse".partitions() p, "sse".event_id_seq q where p.name = $1 and p.high <= q.last_value + 1) then
    raise exception 'sse: % is not a partition of past events', $1 using errcode = '22023';
  end if;
  execute format('drop table "sse".%I', $1);
end $sse$;

revoke execute on function "sse".add_partition(bigint, bigint), "sse".extend(bigint, integer), "sse".usage(), "sse".roll(), "sse".drop_partition(text) from public;

-- Who is present. Only roles with the privilege may execute what changes it, as joins and leaves are trusted.

-- Shows that an instance lives, and marks those as dead that do not. "former": names under which the instance
-- has had seats until now; they live on with it. "beats" is null when the instance does not live.
create or replace function "sse".beat(
  instance uuid, new boolean, former uuid[], alive integer, settled bigint,
  out beats bigint, out timeline integer, out dead uuid[]
) language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  latest timestamptz;
  -- An instance beats about four times within the time for which a beat holds.
  quiet constant interval := interval '1 millisecond' * alive / 2;
begin
  for look in 1 .. 2 loop
    latest := (select max(i.beat) from "sse".instance i where not i.dead);
    exit when latest between clock_timestamp() - quiet and clock_timestamp() + interval '1 second';
    -- The server was away, or its clock was set: nobody has died of that.
    if look = 1 then
      perform pg_advisory_xact_lock(hashtextextended('nestjs-sse-channels presence "sse"', 0));
    else
      update "sse".instance i set beat = i.beat + (clock_timestamp() - latest) where not i.dead;
    end if;
  end loop;
  if new then
    insert into "sse".instance (id, beat, alive)
    select id, clock_timestamp(), $4 from unnest($3 || $1) as id on conflict do nothing;
  end if;
  -- What was settled by the beat before: by now no call can be late that began before that one.
  delete from "sse".seat s using "sse".instance i
  where i.id = $1 and s.instance = $1 and s.connections = 0 and s.revision <= i.settled;
  update "sse".instance i set beat = clock_timestamp(), alive = $4, beats = i.beats + 1, settled = $5
  where i.id = $1 and not i.dead returning i.beats into beats;
  update "sse".instance i set beat = clock_timestamp() where i.id = any ($3) and not i.dead;
  update "sse".instance i set dead = true
  where i.id in (
    -- The lock of an instance that puts seats at this moment is left to a later beat.
    select d.id from "sse".instance d
    where not d.dead and d.beat + interval '1 millisecond' * d.alive < clock_timestamp()
    for update skip locked);
  dead := array(select i.id from "sse".instance i where i.dead);
  timeline := "sse".timeline();
end $sse$;

-- The plans are kept, and those of an empty table must not read all of a large one: hence without "seqscan".
-- Puts seats in place of those that the instance has there, also under former names. The outcome of each: "o"
-- when the channel is occupied now, "v" when it is vacated, in capitals when a call before has done it.
create or replace function "sse".change_seats(instance uuid, former uuid[], seats json, settled bigint) returns text[]
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off as $sse$
#variable_conflict use_column
declare
  seat record;
  present record;
  own "sse".seat;
  now_announced boolean;
  total bigint;
  people bigint;
  at text collate "C";
  result text;
  outcomes text[];
  topics text[];
  events text[];
  datas text[];
begin
  -- A change and its event must outlive a crash together with what follows from them.
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'local', true);
  end if;
  insert into "sse".presence as p (channel)
  select distinct s.channel collate "C" as channel from json_to_recordset(seats) as s (channel text) order by channel
  on conflict (channel) do update set changed = txid_current();

  for seat in
    select s.*, t.nth from json_array_elements(seats) with ordinality as t (seat, nth),
      json_to_record(t.seat) as s (channel text, member text, client text, info text,
        since bigint, connections integer, announced boolean, revision bigint)
    order by s.channel collate "C", t.nth
  loop
    if at is distinct from seat.channel then
      update "sse".presence p set connections = total, members = people where p.channel = at;
      at := seat.channel;
      select p.connections, p.members into total, people from "sse".presence p where p.channel = at;
    end if;
    -- What is there of this client, of others and of ourselves. "own" may be a seat without connections.
    select count(*) filter (where s.sits) as seats, count(*) filter (where s.sits and not s.mine) as others,
      coalesce(sum(s.connections) filter (where s.mine), 0) as mine,
      coalesce(bool_or(s.announced) filter (where s.sits), false) as announced,
      coalesce(bool_or(s.announced) filter (where s.sits and not s.mine), false) as others_announced,
      coalesce(max(s.place), 0) as place, (array_agg(s.info order by s.place desc) filter (where s.sits))[1] as info,
      max(s.client) as client, (array_agg(s.seat order by s.revision desc) filter (where s.mine))[1] as own
    into present
    from (select e.*, e as seat, e.connections > 0 as sits, e.instance = $1 or e.instance = any ($2) as mine from "sse".seat e
      where e.channel = seat.channel and e.member = seat.member) s;
    own := present.own;
    result := '';
    if own.revision = seat.revision then
      result := upper(own.outcome);
    end if;
    if own.revision >= seat.revision and own.instance = $1 or seat.revision <= settled
      or seat.connections = 0 and present.mine = 0 then
      outcomes[seat.nth] := result;
      continue;
    end if;

    total := total + seat.connections - present.mine;
    if total = 0 and present.mine > 0 then
      result := 'v';
    elsif total = seat.connections and present.mine = 0 then
      result := 'o';
    end if;
    outcomes[seat.nth] := result;
    if former <> '{}' then
      delete from "sse".seat s where s.channel = seat.channel and s.member = seat.member and s.instance = any ($2);
    end if;
    insert into "sse".seat as s (channel, member, instance, client, info, since, connections, announced, place, revision, outcome)
    values (seat.channel, seat.member, $1, coalesce(seat.client, present.client), seat.info, seat.since, seat.connections, seat.announced,
      case when own.connections > 0 and seat.connections <= own.connections and seat.info is not distinct from own.info
        then own.place else present.place + 1 end,
      seat.revision, result)
    on conflict (channel, member, instance) do update set info = excluded.info, since = excluded.since,
      connections = excluded.connections, announced = excluded.announced, place = excluded.place,
      revision = excluded.revision, outcome = excluded.outcome;
    if seat.member <> '' then
      people := people + (present.others > 0 or seat.connections > 0)::integer - (present.seats > 0)::integer;
      now_announced := present.others_announced or seat.connections > 0 and seat.announced;
      if now_announced <> present.announced then
        topics := topics || seat.channel;
        events := events || concat('sse:', case when now_announced then 'join' else 'leave' end);
        datas := datas || concat('{"channel":', to_json(seat.channel), ',"id":', coalesce(seat.client, present.client),
          ',"info":' || case when now_announced then seat.info else present.info end, '}');
      end if;
    end if;
  end loop;
  update "sse".presence p set connections = total, members = people where p.channel = at;
  delete from "sse".presence p
  where p.connections = 0 and p.channel in (select s.channel from json_to_recordset(seats) as s (channel text));
  -- Last, as later events of all topics wait for the commit from here on.
  insert into "sse".event (topic, event, data)
  select e.topic, e.event, e.data from unnest(topics, events, datas) with ordinality as e (topic, event, data, nth)
  order by e.nth;
  return outcomes;
end $sse$;

-- Puts seats of an instance. Null when it does not live: nothing has changed.
create or replace function "sse".put_seats(instance uuid, former uuid[], seats json) returns text[]
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  settled bigint;
begin
  -- The lock keeps the instance from being marked as dead before the commit, but not from beating.
  select i.settled into settled from "sse".instance i where i.id = $1 and not i.dead for key share;
  if settled is null then
    return null;
  end if;
  return "sse".change_seats($1, $2, $3, settled);
end $sse$;

-- Removes up to "most" seats of a dead instance, and answers which channels that has vacated, unless another
-- does at this moment. "more": whether there are seats left.
create or replace function "sse".remove_seats(gone uuid, most integer, out more boolean, out vacated text[])
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $sse$
declare
  seats json;
  outcomes text[];
begin
  perform from "sse".instance i where i.id = gone and i.dead for update skip locked;
  if not found then
    more := false;
    return;
  end if;
  select json_agg(s), count(*) = most into seats, more from (
    select e.channel, e.member, 0 as connections, 0 as since, e.announced, e.revision + 1 as revision
    from "sse".seat e where e.instance = gone and e.connections > 0 limit most) s;
  if seats is not null then
    outcomes := "sse".change_seats(gone, '{}', seats, -1);
    vacated := array(
      select t.seat ->> 'channel' from json_array_elements(seats) with ordinality as t (seat, nth)
      where outcomes[t.nth] = 'v');
  end if;
  if not more then
    delete from "sse".seat s where s.instance = gone;
    delete from "sse".instance i where i.id = gone;
  end if;
end $sse$;

-- How many members and connections a channel has, without a client; then up to "most" members after a digest.
create or replace function "sse".presence(
  channel text, after text, most integer,
  out client text, out info text, out since bigint, out connections bigint, out members bigint
) returns setof record language sql stable security definer set search_path = pg_catalog, pg_temp as $sse$
  select null, null, null, coalesce(max(p.connections), 0), coalesce(max(p.members), 0)
  from "sse".presence p where p.channel = $1
  union all (
    select max(s.client), (array_agg(s.info order by s.place desc))[1], min(s.since), sum(s.connections), null
    from "sse".seat s where s.channel = $1 and s.member > $2 and s.connections > 0
    group by s.member order by s.member limit $3)
$sse$;

-- Changes when the seats of a channel do.
create or replace function "sse".presence_marks(channels text[], out channel text, out mark bigint) returns setof record
language sql stable security definer set search_path = pg_catalog, pg_temp as $sse$
  select p.channel, p.changed from "sse".presence p where p.channel = any ($1)
$sse$;

revoke execute on function "sse".beat(uuid, boolean, uuid[], integer, bigint), "sse".change_seats(uuid, uuid[], json, bigint),
  "sse".put_seats(uuid, uuid[], json), "sse".remove_seats(uuid, integer), "sse".presence(text, text, integer), "sse".presence_marks(text[]) from public;

-- The first partitions, if there are none.
do $sse$ begin perform "sse".extend(1000000, 3); end $sse$;
insert into "sse".meta (version)
select 4 where not exists (select from "sse".meta where version >= 4);
