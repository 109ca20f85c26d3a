-- The functions that publishers use.

-- Refuses what could not be sent as Server-Sent Events.
create or replace function sse.check_event(topic text, event text, own_id text, retry integer)
returns void language plpgsql immutable set search_path = pg_catalog, pg_temp as $sse$
begin
  if not (
--!include topic.sql
  ) then
    raise exception 'sse: the topic is empty, longer than 1024 bytes, begins with "sse:", or has control characters' using errcode = '22023';
  end if;
  if length(event) > 1024 or not (
--!include name.sql
  ) then
    raise exception 'sse: the event''s name is "%". Give one line of at most 1024 characters that does not begin with "sse:".', left(event, 80)
      using errcode = '22023';
  end if;
  if length(own_id) > 1024 or not (
--!include own-id.sql
  ) then
    raise exception 'sse: the event''s id is "%". Give one line of 1 to 1024 characters without control characters, without blanks at its ends, not "earliest", and nothing that could be a position such as 1.42.', left(own_id, 80)
      using errcode = '22023';
  end if;
  if not (
--!include retry.sql
  ) then
    raise exception 'sse: retry is %, and must be at least 0 milliseconds', retry using errcode = '22023';
  end if;
end $sse$;

-- Publishes one event within the caller's transaction.
create or replace function sse.publish(
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
--!include can-be-sent.sql
  ) then
    perform sse.check_event($1, $3, $4, $5);
  end if;
  insert into sse.event as e (topic, data, event, own_id, retry, done)
  values ($1, $2, $3, $4, $5, coalesce($6, false)) returning e.id into result;
--!include wake.sql
  return result;
end $sse$;

-- Publishes many events in their order, and wakes nobody.
create or replace function sse.publish_all(
  topics text[], datas text[], events text[], own_ids text[], retries integer[], dones boolean[]
) returns setof bigint language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  perform sse.check_event(t.topic, t.event, t.own_id, t.retry)
  from unnest($1, $3, $4, $5) as t (topic, event, own_id, retry)
  where not (
--!include can-be-sent.sql
  );
  return query
    insert into sse.event as e (topic, data, event, own_id, retry, done)
    select t.topic, t.data, t.event, t.own_id, t.retry, t.done
    from unnest($1, $2, $3, $4, $5, $6) with ordinality
      as t (topic, data, event, own_id, retry, done, place)
    order by t.place
    returning e.id;
end $sse$;

-- Publishes a command to all instances. Later instances need those that are kept.
create or replace function sse.command(data text, kept boolean) returns bigint language sql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
  insert into sse.event (topic, data, event) values (concat('sse:', 'control'), $1, case when $2 then 'kept' end) returning id
$sse$;
revoke execute on function sse.command(text, boolean) from public;
