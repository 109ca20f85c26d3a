-- The functions that the reader uses.

-- The transactions that have written to the table, or are about to, and have not ended.
-- The locks on partitions count as well: a program may write to one directly.
create or replace function sse.writers() returns text[] language sql volatile
set search_path = pg_catalog, pg_temp as $sse$
  select coalesce(array_agg(distinct virtualtransaction), '{}') from pg_locks
  where locktype = 'relation' and mode = 'RowExclusiveLock' and granted
    and database = (select oid from pg_database where datname = current_database())
    and relation in (
      select 'sse.event'::regclass
      union all select inhrelid from pg_inherits where inhparent = 'sse.event'::regclass)
$sse$;

-- The attached partitions: each takes ids from "low" to below "high".
create or replace function sse.partitions(
  out name text, out low bigint, out high bigint, out pending boolean
) returns setof record language sql volatile
set search_path = pg_catalog, pg_temp as $sse$
  select c.relname::text, bound[1]::bigint, bound[2]::bigint,
    -- The column came with PostgreSQL 14.
    coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false)
  from pg_inherits i join pg_class c on c.oid = i.inhrelid,
    regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('{0,1}(\d+)'{0,1}\) TO \('{0,1}(\d+)'{0,1}\)$$) bound
  where i.inhparent = 'sse.event'::regclass
$sse$;

create or replace function sse.timeline() returns integer language sql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
  select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
$sse$;

-- Below this id, events have been dropped. In PL/pgSQL, which keeps the plan: it is called often.
create or replace function sse.floor() returns bigint language plpgsql volatile
set search_path = pg_catalog, pg_temp as $sse$
begin
  return greatest(
    coalesce((select min(low) from sse.partitions() where not pending), 1),
    (select removed + 1 from sse.history where one));
end $sse$;

-- Where the table stands: every id up to "last" has been taken.
create or replace function sse.head(
  out timeline integer, out last bigint, out floor bigint, out incarnation oid
) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  timeline := sse.timeline();
  floor := sse.floor();
  last := (select case when is_called then last_value else 0 end from sse.event_id_seq);
  incarnation := 'sse.event'::regclass::oid;
end $sse$;

-- Returns once there is an event above "seen", or after about "patience" milliseconds.
create or replace function sse.watch(seen bigint, every integer, patience integer) returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $sse$
declare
  top bigint;
begin
  -- Counted, as the server's clock may be set back meanwhile.
  for look in 0 .. greatest(patience, 0) / every loop
    if look > 0 then
      perform pg_sleep(every / 1000.0);
    end if;
    select max(id) into top from sse.event where id > seen;
    exit when top is not null;
  end loop;
  return coalesce(top, seen);
end $sse$;
