-- The functions that publish events with idempotency keys.

-- Publishes an event unless its topic has had one with the same key within the key's time, and answers for the first
-- one. Whoever publishes with a key holds its lock until the end of the transaction: nobody else sees what the
-- transaction has written. "waits": whether to wait for such a transaction; otherwise all answers are null.
create or replace function sse.publish_keyed(
  topic text, data text, event text, own text, retry integer, done boolean, key text, keep bigint, waits boolean,
  out event_id bigint, out own_id text, out timeline integer, out duplicate boolean
) language plpgsql volatile set search_path = pg_catalog, pg_temp as $sse$
declare
  lock constant bigint := hashtextextended(concat('nestjs-sse-channels once sse', E'\n', topic, E'\n', key), 0);
begin
  if not (octet_length(coalesce(key, '')) between 1 and 256 and key !~ '[\x01-\x1f\x7f]') then
    raise exception 'sse: the idempotency key is "%". Give 1 to 256 bytes without control characters.', left(key, 80)
      using errcode = '22023';
  end if;
  if not coalesce(keep between 1000 and 86400000, false) then
    raise exception 'sse: an idempotency key is kept for % milliseconds, and must be for 1000 to 86400000', keep
      using errcode = '22023';
  end if;
  if waits then
    perform pg_advisory_xact_lock(lock);
  elsif not pg_try_advisory_xact_lock(lock) then
    return;
  end if;
  select o.event_id, o.own_id, o.timeline into event_id, own_id, timeline from sse.once o
  where o.topic = $1 and o.key = $7 and o.expires > clock_timestamp();
  duplicate := found;
  if not duplicate then
    own_id := own;
    timeline := sse.timeline();
    insert into sse.event as e (topic, data, event, own_id, retry, done)
    values ($1, $2, $3, $4, $5, coalesce($6, false)) returning e.id into event_id;
    insert into sse.once as o (topic, key, event_id, own_id, timeline, expires)
    values ($1, $7, publish_keyed.event_id, $4, publish_keyed.timeline, clock_timestamp() + keep * interval '1 millisecond')
    on conflict on constraint once_pkey do update
    set event_id = excluded.event_id, own_id = excluded.own_id, timeline = excluded.timeline, expires = excluded.expires;
  end if;
end $sse$;

-- Publishes one event within the caller's transaction, unless its topic has had one with the same key.
create or replace function sse.publish_once(
  topic text, data text, key text, event text default null, id text default null,
  retry integer default null, done boolean default false, keep interval default interval '5 minutes',
  out event_id bigint, out own_id text, out timeline integer, out duplicate boolean
) language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
begin
  perform sse.check_event($1, $4, $5, $6);
  select k.* into event_id, own_id, timeline, duplicate
  from sse.publish_keyed($1, $2, $4, $5, $6, $7, $3, (extract(epoch from keep) * 1000)::bigint, true) k;
  if not duplicate then
--!include wake.sql
  end if;
end $sse$;

-- Publishes many events in their order, some of them with keys, and wakes nobody. It waits for no transaction: where
-- one holds the key of an event, that event is not published, and its answers are null.
create or replace function sse.publish_all_once(
  topics text[], datas text[], events text[], own_ids text[], retries integer[], dones boolean[],
  keys text[], keeps bigint[],
  out event_id bigint, out own_id text, out timeline integer, out duplicate boolean
) returns setof record language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  r record;
begin
  perform sse.check_event(t.topic, t.event, t.own, t.retry) from unnest($1, $3, $4, $5) as t (topic, event, own, retry);
  for r in
    select * from unnest($1, $2, $3, $4, $5, $6, $7, $8) with ordinality
      as t (topic, data, event, own, retry, done, key, keep, place)
    order by t.place
  loop
    if r.key is null then
      own_id := r.own;
      timeline := sse.timeline();
      duplicate := false;
      insert into sse.event as e (topic, data, event, own_id, retry, done)
      values (r.topic, r.data, r.event, r.own, r.retry, coalesce(r.done, false)) returning e.id into event_id;
    else
      select k.* into event_id, own_id, timeline, duplicate
      from sse.publish_keyed(r.topic, r.data, r.event, r.own, r.retry, r.done, r.key, r.keep, false) k;
    end if;
    return next;
  end loop;
end $sse$;

-- Removes keys whose time is over, and answers whether there may be more.
create or replace function sse.forget_keys(most bigint) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  removed bigint;
begin
  delete from sse.once where ctid = any (array(
    select o.ctid from sse.once o where o.expires < clock_timestamp() order by o.expires limit most for update skip locked));
  get diagnostics removed = row_count;
  return removed >= most;
end $sse$;
revoke execute on function sse.publish_keyed(text, text, text, text, integer, boolean, text, bigint, boolean) from public;
