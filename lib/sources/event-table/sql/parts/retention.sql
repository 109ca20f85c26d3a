-- The functions that create and drop partitions. They lock the table before they use its sequence,
-- as TRUNCATE ... RESTART IDENTITY does: otherwise the two could wait for each other, and one would fail.

-- Creates a partition of ids from "low" to below "high".
-- "create table .. partition of" would wait for every open writer, and make others wait.
create or replace function sse.add_partition(low bigint, high bigint) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $sse$
begin
  execute format('create table sse.%I (like sse.event including all excluding identity)', 'event_' || low);
  execute format('alter table sse.event attach partition sse.%I for values from (%s) to (%s)',
    'event_' || low, low, high);
  perform sse.note_removals(format('sse.%I', 'event_' || low)::regclass);
end $sse$;

-- Creates partitions of "size" ids until there are "ahead" of them above the last id, and one for
-- the next id.
create or replace function sse.extend(size bigint, ahead integer) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  last bigint;
  above bigint;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('nestjs-sse-channels partitions "sse"', 0));
  lock table sse.event in access share mode;
  select case when is_called then last_value else 0 end into last from sse.event_id_seq;
  if not exists (select from sse.partitions() p where p.low <= last + 1 and p.high > last + 1) then
    select min(p.low) into above from sse.partitions() p where p.low > last + 1;
    perform sse.add_partition(last + 1, least(last + 1 + size, above));
    made := made + 1;
  end if;
  while (select count(*) from sse.partitions() p where p.low > last) < ahead loop
    select max(p.high) into above from sse.partitions() p;
    perform sse.add_partition(above, above + size);
    made := made + 1;
  end loop;
  return made;
end $sse$;

-- The partitions with their size in bytes, indexes included, and when their newest event was written.
create or replace function sse.usage(
  out name text, out low bigint, out high bigint, out pending boolean,
  out bytes bigint, out oldest timestamptz, out newest timestamptz, out last bigint
) returns setof record language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  lock table sse.event in access share mode;
  select case when is_called then last_value else 0 end into last from sse.event_id_seq;
  for name, low, high, pending in select * from sse.partitions() order by 2 loop
    begin
      bytes := pg_total_relation_size(format('sse.%I', name)::regclass);
      execute format('select created_at from sse.%I order by id limit 1', name) into oldest;
      execute format('select created_at from sse.%I order by id desc limit 1', name) into newest;
    exception when undefined_table then
      continue; -- Another instance has just dropped it.
    end;
    return next;
  end loop;
end $sse$;

-- Goes on in the next partition, so that this one can be dropped as a whole. Leaves out ids, which
-- is done only far from the partition's end: others take ids at the same time.
create or replace function sse.roll() returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  next bigint;
  size bigint;
  last bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('nestjs-sse-channels partitions "sse"', 0));
  lock table sse.event in access share mode;
  select case when is_called then last_value else 0 end into last from sse.event_id_seq;
  select p.high, p.high - p.low into next, size from sse.partitions() p
  where p.low <= last and p.high > last
    and exists (select from sse.partitions() n where n.low = p.high and not n.pending);
  if next is null or next - last <= size / 2 then
    return false;
  end if;
  perform setval('sse.event_id_seq'::regclass, next - 1);
  return true;
end $sse$;

-- Drops a partition whose ids are all taken, unless another does at this moment or has done. It
-- waits for open writers only briefly, as others have to wait behind it.
create or replace function sse.drop_partition(name text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '100ms' as $sse$
begin
  if not pg_try_advisory_xact_lock(hashtextextended('nestjs-sse-channels partitions "sse"', 0)) then
    return;
  end if;
  lock table sse.event in access share mode;
  if not exists (select from sse.partitions() p where p.name = $1) then
    return;
  end if;
  if not exists (select from sse.partitions() p, sse.event_id_seq q where p.name = $1 and p.high <= q.last_value + 1) then
    raise exception 'sse: % is not a partition of past events', $1 using errcode = '22023';
  end if;
  execute format('drop table sse.%I', $1);
end $sse$;

revoke execute on function sse.add_partition(bigint, bigint), sse.extend(bigint, integer), sse.usage(), sse.roll(), sse.drop_partition(text) from public;
