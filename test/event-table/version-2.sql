-- The event table of nestjs-sse-channels, version 2. May be run again at any time.
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
  if exists (select from "sse".meta where version > 2) then
    raise exception 'The event table is newer than version 2.'
      using hint = 'Use the release of nestjs-sse-channels that installed it, or a later one.';
  end if;
end $sse$;

do $sse$ begin
if not exists (select from "sse".meta where version >= 1) then
  create table "sse".event (
    -- Ids have to be taken one by one: a reader passes a hole only once it cannot be filled any more.
    id bigint generated always as identity (cache 1),
    topic text not null,
    event text,
    data text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (id)
  ) partition by range (id);
  create index event_topic_id on "sse".event (topic, id);
end if;
end $sse$;

do $sse$ begin
if not exists (select from "sse".meta where version >= 2) then
  alter table "sse".event
    add column own_id text,
    add column retry integer,
    add column done boolean not null default false;
  -- A hash, as an own id together with its topic may be larger than an index takes.
  create index event_own_id on "sse".event (hashtextextended(own_id, 0)) where own_id is not null;
end if;
end $sse$;

-- The transactions that have written to the table, or are about to, and have not ended.
-- A partition is looked at as well: it may have been written to directly.
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
    regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('?(\d+)'?\) TO \('?(\d+)'?\)$$) bound
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
  return coalesce((select min(low) from "sse".partitions() where not pending), 1);
end $sse$;

-- Where the table stands: every id up to "last" has been taken.
create or replace function "sse".head(
  out timeline integer, out last bigint, out floor bigint, out incarnation oid
) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  timeline := "sse".timeline();
  last := (select case when is_called then last_value else 0 end from "sse".event_id_seq);
  floor := "sse".floor();
  incarnation := '"sse".event'::regclass::oid;
end $sse$;

-- Returns once there is an event above "seen", or after "patience" milliseconds.
create or replace function "sse".watch(seen bigint, every integer, patience integer) returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $sse$
declare
  top bigint;
  until timestamptz := clock_timestamp() + patience * interval '1 millisecond';
begin
  loop
    select max(id) into top from "sse".event where id > seen;
    exit when top is not null or clock_timestamp() >= until;
    perform pg_sleep(every / 1000.0);
  end loop;
  return coalesce(top, seen);
end $sse$;

-- Refuses what could not be sent as Server-Sent Events.
create or replace function "sse".check_event(topic text, event text, own_id text, retry integer)
returns void language plpgsql immutable set search_path = pg_catalog, pg_temp as $sse$
begin
  if coalesce(topic, '') = '' or octet_length(topic) > 1024 then
    raise exception 'sse: the topic is empty or longer than 1024 bytes' using errcode = '22023';
  end if;
  if event ~ '[\r\n]' or length(event) > 1024 or own_id ~ '[\r\n]' or length(own_id) > 1024 or own_id = '' then
    raise exception 'sse: the event''s name or id is not one line of at most 1024 characters'
      using errcode = '22023';
  end if;
  if own_id ~ '^\d+\.\d+$' then
    raise exception 'sse: the event''s id % could be a position of the table; choose another form', own_id
      using errcode = '22023';
  end if;
  if retry < 0 then
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
  result bigint;
begin
  perform "sse".check_event($1, $3, $4, $5);
  insert into "sse".event as e (topic, data, event, own_id, retry, done)
  values ($1, $2, $3, $4, $5, coalesce($6, false)) returning e.id into result;
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
  from unnest($1, $3, $4, $5) as t (topic, event, own_id, retry);
  return query
    insert into "sse".event as e (topic, data, event, own_id, retry, done)
    select t.topic, t.data, t.event, t.own_id, t.retry, t.done
    from unnest($1, $2, $3, $4, $5, $6) with ordinality
      as t (topic, data, event, own_id, retry, done, place)
    order by t.place
    returning e.id;
end $sse$;

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
    part := regexp_match(rest, '^([^{]*)\{([^{}]*)\}(.*)$');
    exit when part is null;
    if not r ? part[2] then
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
          else upper(regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', '%\1', 'g')) end,
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
  if not r ?& columns then
    raise exception 'sse: the trigger names the column "%", which the table does not have',
        (select c from unnest(columns) as c where not r ? c limit 1)
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
    data := "sse".pick(to_jsonb(r), tg_argv[1:tg_nargs - 1]);
  end if;
  if strpos(channel, '{') > 0 then
    channel := "sse".fill(channel, to_jsonb(r));
    if channel is null then
      return null;
    end if;
  end if;
  insert into "sse".event (topic, event, data) values (channel, lower(tg_op), data);
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

-- For each statement: the same for all of its rows, which the trigger calls sse_rows.
create or replace function "sse".statement_event() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  columns text[] := tg_argv[1:tg_nargs - 1];
begin
  if strpos(tg_argv[0], '{') > 0 then
    insert into "sse".event (topic, event, data)
    select t.channel, lower(tg_op), t.data from (
      select "sse".fill(tg_argv[0], to_jsonb(r)) as channel,
        case when tg_nargs = 1 then row_to_json(r)::text else "sse".pick(to_jsonb(r), columns) end as data
      from sse_rows r) t
    where t.channel is not null;
  elsif tg_nargs = 1 then
    insert into "sse".event (topic, event, data)
    select tg_argv[0], lower(tg_op), row_to_json(r)::text from sse_rows r;
  else
    insert into "sse".event (topic, event, data)
    select tg_argv[0], lower(tg_op), "sse".pick(to_jsonb(r), columns) from sse_rows r;
  end if;
  if found then
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

-- Creates a partition of ids from "low" to below "high".
-- "create table … partition of" would wait for every open writer, and make others wait.
create or replace function "sse".add_partition(low bigint, high bigint) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $sse$
begin
  execute format('create table "sse".%I (like "sse".event including all excluding identity)', 'event_' || low);
  execute format('alter table "sse".event attach partition "sse".%I for values from (%s) to (%s)',
    'event_' || low, low, high);
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
  select case when is_called then last_value else 0 end into last from "sse".event_id_seq;
  for name, low, high, pending in select * from "sse".partitions() order by 2 loop
    bytes := pg_total_relation_size(format('"sse".%I', name)::regclass);
    execute format('select created_at from "sse".%I order by id limit 1', name) into oldest;
    execute format('select created_at from "sse".%I order by id desc limit 1', name) into newest;
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

-- Drops a partition whose ids are all taken. It waits for open writers only briefly, as others
-- have to wait behind it.
create or replace function "sse".drop_partition(name text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '100ms' as $sse$
begin
  if not exists (select from "sse".partitions() p, "sse".event_id_seq q where p.name = $1 and p.high <= q.last_value + 1) then
    raise exception 'sse: % is not a partition of past events', $1 using errcode = '22023';
  end if;
  execute format('drop table "sse".%I', $1);
end $sse$;

revoke execute on function "sse".add_partition(bigint, bigint), "sse".extend(bigint, integer), "sse".usage(), "sse".roll(), "sse".drop_partition(text) from public;

-- The first partitions, if there are none.
do $sse$ begin perform "sse".extend(1000000, 3); end $sse$;
insert into "sse".meta (version)
select 2 where not exists (select from "sse".meta where version >= 2);
