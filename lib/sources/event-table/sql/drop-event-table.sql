-- Removes the event table of nestjs-sse-channels, its functions, and the schema once nothing else is
-- in it. May be run again at any time.
do $sse$ declare
  force constant boolean := false;
  own record;
  users text;
begin
  if not exists (
    select from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.oid = to_regclass('sse.event') and c.relkind = 'p' and a.attname = 'topic'
      and to_regclass('sse.meta') is not null
  ) then
    raise notice 'There is no event table in the schema "sse".';
    return;
  end if;

  -- The triggers first: writers lock their own table before the event table.
  for own in
    select t.tgname, t.tgrelid::regclass as relation from pg_trigger t
    where t.tgfoid in (to_regprocedure('sse.row_event()'), to_regprocedure('sse.statement_event()')) and t.tgparentid = 0
    order by 2, 1
  loop
    if force then
      execute format('drop trigger %I on %s', own.tgname, own.relation);
    else
      users := concat_ws(', ', users, format('%I on %s', own.tgname, own.relation));
    end if;
  end loop;
  if users is not null then
    raise exception 'Nothing was removed: triggers write to the event table in the schema "sse": %. Drop them first, or use --force (force: true).', users
      using errcode = 'dependent_objects_still_exist';
  end if;

  -- We look for events before and after we wait for the lock, as writers have to wait behind us.
  for look in 1 .. 2 loop
    if not force and exists (select from sse.event) then
      raise exception 'Nothing was removed: there are events in the event table in the schema "sse". Empty it first (truncate sse.event), or use --force (force: true).'
        using errcode = 'object_not_in_prerequisite_state';
    end if;
    -- In the order of the functions that write to these tables: a call of theirs would wait for us, and we for it.
    for own in
      select to_regclass('sse.' || name) as relation
      from unnest(array['instance', 'presence', 'seat', 'once', 'run', 'run_chunk']) with ordinality as t (name, nth)
      where to_regclass('sse.' || name) is not null order by nth
    loop
      execute format('lock table %s in access exclusive mode', own.relation);
    end loop;
    lock table sse.event in access exclusive mode;
  end loop;
  -- Partitions that the retention has detached, and not dropped yet, are tables of their own.
  for own in
    select distinct t.tgrelid::regclass as relation from pg_trigger t
    where t.tgfoid = to_regprocedure('sse.note_removal()')
      and t.tgrelid not in (select inhrelid from pg_inherits where inhparent = 'sse.event'::regclass)
      and t.tgrelid <> 'sse.event'::regclass
  loop
    execute format('drop table %s', own.relation);
  end loop;
  drop table sse.event;
  drop table if exists sse.history;
  drop table if exists sse.seat, sse.presence, sse.instance, sse.run_chunk, sse.run, sse.once;
  drop table sse.meta;
  for own in
    select f from unnest(array[
      'add_partition(bigint, bigint)',
      'append_runs(text[], text[], bigint[], bigint[], boolean[], text[])',
      'beat(uuid, boolean, uuid[], integer, bigint)',
      'begin_run(text, text, text, bigint, bigint)',
      'catch_up()',
      'check_event(text, text, text, integer)',
      'clean_runs(bigint)',
      'command(text, boolean)',
      'drop_partition(text)',
      'change_seats(uuid, uuid[], json, bigint)',
      'end_run(text, text, text[], boolean)',
      'extend(bigint, integer)',
      'fill(text, jsonb)',
      'find_run(text, text)',
      'floor()',
      'forget_keys(bigint)',
      'forget_seats()',
      'given_id()',
      'head()',
      'note_removal()',
      'note_removals(regclass)',
      'partitions()',
      'pick(jsonb, text[])',
      'presence(text, text, integer)',
      'presence_marks(text[])',
      'publish(text, text, text, text, integer, boolean)',
      'publish_all(text[], text[], text[], text[], integer[], boolean[])',
      'publish_all_once(text[], text[], text[], text[], integer[], boolean[], text[], bigint[])',
      'publish_keyed(text, text, text, text, integer, boolean, text, bigint, boolean)',
      'publish_once(text, text, text, text, text, integer, boolean, interval)',
      'put_seats(uuid, uuid[], json)',
      'read_runs(text[], text[], bigint[], bigint, bigint, boolean)',
      'remove_seats(uuid, integer)',
      'roll()',
      'row_event()',
      'run_is_over(timestamptz, bigint, text)',
      'statement_event()',
      'timeline()',
      'usage()',
      'watch(bigint, integer, integer)',
      'writers()'
    ]) as f
  loop
    execute 'drop function if exists sse.' || own.f;
  end loop;
  -- Every database has it, and tables without a schema are created there.
  if to_regnamespace('"sse"') = to_regnamespace('public') then
    return;
  end if;
  begin
    drop schema "sse";
  exception when dependent_objects_still_exist or insufficient_privilege then
    raise notice 'The schema "sse" stays: %.', sqlerrm;
  end;
end $sse$;
