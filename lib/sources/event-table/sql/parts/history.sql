-- Keeps the ids in order when rows come or go in another way than by publish() and the retention.
-- Triggers of version 3 and later call these functions.

-- For a row whose id may not have been taken just now: COPY and OVERRIDING SYSTEM VALUE bring theirs.
create or replace function sse.given_id() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  last bigint := coalesce(pg_sequence_last_value('sse.event_id_seq'::regclass), 0);
begin
  begin
    -- Above "last" it was taken before somebody set the sequence back.
    if new.id <= last and new.id = currval('sse.event_id_seq'::regclass) then
      return new; -- Others have taken ids since.
    end if;
  exception when object_not_in_prerequisite_state then
    null; -- This session has taken none.
  end;
  if new.id > last then
    -- The ids up to it are taken one after another, as others may take some at the same time.
    while new.id > last loop
      last := nextval('sse.event_id_seq'::regclass);
    end loop;
  elsif coalesce(current_setting('sse.rewritten', true), '') = '' then
    -- Readers have passed it: they announce a gap, once for the transaction.
    insert into sse.history as h (removed, rewritten, removed_at) values (last, 1, clock_timestamp())
    on conflict (one) do update set removed = greatest(h.removed, excluded.removed), rewritten = h.rewritten + 1,
      removed_at = excluded.removed_at;
    perform set_config('sse.rewritten', 'yes', true);
  end if;
  return new;
end $sse$;

-- After DELETE, and before and after TRUNCATE, neither of which the retention needs: notes up to where
-- events were removed, and keeps RESTART IDENTITY from giving out ids again, at which clients may stand.
create or replace function sse.note_removal() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  last bigint := coalesce(pg_sequence_last_value('sse.event_id_seq'::regclass), 0);
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
      last := setval('sse.event_id_seq'::regclass, current_setting('sse.truncated')::bigint);
    end if;
    gone_to := least(last, (select p.high - 1 from sse.partitions() p where p.name = tg_table_name));
  end if;
  if tg_op = 'DELETE' or tg_when = 'BEFORE' then
    -- Somebody has set the sequence back since the last removal, and this event took the place of another.
    update sse.history set rewritten = rewritten + 1, removed_at = clock_timestamp()
    where newest.id <= removed and newest.created_at > removed_at;
  end if;
  if gone_to > 0 then
    insert into sse.history as h (removed, removed_at) values (gone_to, clock_timestamp())
    on conflict (one) do update set removed_at = excluded.removed_at,
      removed = case when h.removed > last then excluded.removed else greatest(h.removed, excluded.removed) end,
      -- Somebody has set the sequence back in between.
      rewritten = h.rewritten + (h.removed > last)::integer;
  end if;
  return null;
end $sse$;

-- Creates the triggers that note removals from the table, or from one of its partitions.
create or replace function sse.note_removals(part regclass) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $sse$
declare
  moment text;
begin
  foreach moment in array array['before truncate', 'after truncate', 'after delete'] loop
    execute format('drop trigger if exists %I on %s', 'event ' || moment, part);
    execute format('create trigger %I %s on %s %s for each statement execute function sse.note_removal()',
      'event ' || moment, moment, part, case when moment ~ 'delete' then 'referencing old table as gone' else '' end);
  end loop;
end $sse$;

-- Brings the sequence and the history in line with the rows. Takes ids up to the largest one in the
-- table, as a restore brings rows without taking their ids; others may take some at the same time.
-- False when the caller must call it again.
create or replace function sse.catch_up() returns boolean language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  top bigint := coalesce((select max(id) from sse.event), 0);
  last bigint := coalesce(pg_sequence_last_value('sse.event_id_seq'::regclass), 0);
begin
  for taken in 1 .. 100000 loop
    exit when last >= top;
    last := nextval('sse.event_id_seq'::regclass);
  end loop;
  -- Somebody has set the sequence back: new events below are not those that were removed.
  if exists (select from sse.history where removed > last) then
    update sse.history set removed = last, rewritten = rewritten + 1 where removed > last;
  end if;
  return last >= top;
end $sse$;

-- After TRUNCATE of one of the tables the others tell what is not so: all instances put their seats again.
create or replace function sse.forget_seats() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  delete from sse.instance;
  delete from sse.seat;
  delete from sse.presence;
  return null;
end $sse$;

revoke execute on function sse.note_removals(regclass) from public;
