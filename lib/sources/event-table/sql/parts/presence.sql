-- Who is present. Only roles with the privilege may execute what changes it, as joins and leaves are trusted.

-- Shows that an instance lives, and marks those as dead that do not. "former": names under which the instance
-- has had seats until now; they live on with it. "beats" is null when the instance does not live.
create or replace function sse.beat(
  instance uuid, new boolean, former uuid[], alive integer, settled bigint,
  out beats bigint, out timeline integer, out dead uuid[]
) language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  latest timestamptz;
  -- An instance beats about four times within the time for which a beat holds.
  quiet constant interval := interval '1 millisecond' * alive / 2;
begin
  for look in 1 .. 2 loop
    latest := (select max(i.beat) from sse.instance i where not i.dead);
    exit when latest between clock_timestamp() - quiet and clock_timestamp() + interval '1 second';
    -- The server was away, or its clock was set: nobody has died of that.
    if look = 1 then
      perform pg_advisory_xact_lock(hashtextextended('nestjs-sse-channels presence "sse"', 0));
    else
      update sse.instance i set beat = i.beat + (clock_timestamp() - latest) where not i.dead;
    end if;
  end loop;
  if new then
    insert into sse.instance (id, beat, alive)
    select id, clock_timestamp(), $4 from unnest($3 || $1) as id on conflict do nothing;
  end if;
  -- What was settled by the beat before: by now no call can be late that began before that one.
  delete from sse.seat s using sse.instance i
  where i.id = $1 and s.instance = $1 and s.connections = 0 and s.revision <= i.settled;
  update sse.instance i set beat = clock_timestamp(), alive = $4, beats = i.beats + 1, settled = $5
  where i.id = $1 and not i.dead returning i.beats into beats;
  update sse.instance i set beat = clock_timestamp() where i.id = any ($3) and not i.dead;
  update sse.instance i set dead = true
  where i.id in (
    -- The lock of an instance that puts seats at this moment is left to a later beat.
    select d.id from sse.instance d
    where not d.dead and d.beat + interval '1 millisecond' * d.alive < clock_timestamp()
    for update skip locked);
  dead := array(select i.id from sse.instance i where i.dead);
  timeline := sse.timeline();
end $sse$;

-- The plans are kept, and those of an empty table must not read all of a large one: hence without "seqscan".
-- Puts seats in place of those that the instance has there, also under former names. The outcome of each: "o"
-- when the channel is occupied now, "v" when it is vacated, in capitals when a call before has done it.
create or replace function sse.change_seats(instance uuid, former uuid[], seats json, settled bigint) returns text[]
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off as $sse$
#variable_conflict use_column
declare
  seat record;
  present record;
  own sse.seat;
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
  insert into sse.presence as p (channel)
  select distinct s.channel collate "C" as channel from json_to_recordset(seats) as s (channel text) order by channel
  on conflict (channel) do update set changed = txid_current();

  for seat in
    select s.*, t.nth from json_array_elements(seats) with ordinality as t (seat, nth),
      json_to_record(t.seat) as s (channel text, member text, client text, info text,
        since bigint, connections integer, announced boolean, revision bigint)
    order by s.channel collate "C", t.nth
  loop
    if at is distinct from seat.channel then
      update sse.presence p set connections = total, members = people where p.channel = at;
      at := seat.channel;
      select p.connections, p.members into total, people from sse.presence p where p.channel = at;
    end if;
    -- What is there of this client, of others and of ourselves. "own" may be a seat without connections.
    select count(*) filter (where s.sits) as seats, count(*) filter (where s.sits and not s.mine) as others,
      coalesce(sum(s.connections) filter (where s.mine), 0) as mine,
      coalesce(bool_or(s.announced) filter (where s.sits), false) as announced,
      coalesce(bool_or(s.announced) filter (where s.sits and not s.mine), false) as others_announced,
      coalesce(max(s.place), 0) as place, (array_agg(s.info order by s.place desc) filter (where s.sits))[1] as info,
      max(s.client) as client, (array_agg(s.seat order by s.revision desc) filter (where s.mine))[1] as own
    into present
    from (select e.*, e as seat, e.connections > 0 as sits, e.instance = $1 or e.instance = any ($2) as mine from sse.seat e
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
      delete from sse.seat s where s.channel = seat.channel and s.member = seat.member and s.instance = any ($2);
    end if;
    insert into sse.seat as s (channel, member, instance, client, info, since, connections, announced, place, revision, outcome)
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
  update sse.presence p set connections = total, members = people where p.channel = at;
  delete from sse.presence p
  where p.connections = 0 and p.channel in (select s.channel from json_to_recordset(seats) as s (channel text));
  -- Last, as later events of all topics wait for the commit from here on.
  insert into sse.event (topic, event, data)
  select e.topic, e.event, e.data from unnest(topics, events, datas) with ordinality as e (topic, event, data, nth)
  order by e.nth;
  return outcomes;
end $sse$;

-- Puts seats of an instance. Null when it does not live: nothing has changed.
create or replace function sse.put_seats(instance uuid, former uuid[], seats json) returns text[]
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $sse$
declare
  settled bigint;
begin
  -- The lock keeps the instance from being marked as dead before the commit, but not from beating.
  select i.settled into settled from sse.instance i where i.id = $1 and not i.dead for key share;
  if settled is null then
    return null;
  end if;
  return sse.change_seats($1, $2, $3, settled);
end $sse$;

-- Removes up to "most" seats of a dead instance, and answers which channels that has vacated, unless another
-- does at this moment. "more": whether there are seats left.
create or replace function sse.remove_seats(gone uuid, most integer, out more boolean, out vacated text[])
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $sse$
declare
  seats json;
  outcomes text[];
begin
  perform from sse.instance i where i.id = gone and i.dead for update skip locked;
  if not found then
    more := false;
    return;
  end if;
  select json_agg(s), count(*) = most into seats, more from (
    select e.channel, e.member, 0 as connections, 0 as since, e.announced, e.revision + 1 as revision
    from sse.seat e where e.instance = gone and e.connections > 0 limit most) s;
  if seats is not null then
    outcomes := sse.change_seats(gone, '{}', seats, -1);
    vacated := array(
      select t.seat ->> 'channel' from json_array_elements(seats) with ordinality as t (seat, nth)
      where outcomes[t.nth] = 'v');
  end if;
  if not more then
    delete from sse.seat s where s.instance = gone;
    delete from sse.instance i where i.id = gone;
  end if;
end $sse$;

-- How many members and connections a channel has, without a client; then up to "most" members after a digest.
create or replace function sse.presence(
  channel text, after text, most integer,
  out client text, out info text, out since bigint, out connections bigint, out members bigint
) returns setof record language sql stable security definer set search_path = pg_catalog, pg_temp as $sse$
  select null, null, null, coalesce(max(p.connections), 0), coalesce(max(p.members), 0)
  from sse.presence p where p.channel = $1
  union all (
    select max(s.client), (array_agg(s.info order by s.place desc))[1], min(s.since), sum(s.connections), null
    from sse.seat s where s.channel = $1 and s.member > $2 and s.connections > 0
    group by s.member order by s.member limit $3)
$sse$;

-- Changes when the seats of a channel do.
create or replace function sse.presence_marks(channels text[], out channel text, out mark bigint) returns setof record
language sql stable security definer set search_path = pg_catalog, pg_temp as $sse$
  select p.channel, p.changed from sse.presence p where p.channel = any ($1)
$sse$;

revoke execute on function sse.beat(uuid, boolean, uuid[], integer, bigint), sse.change_seats(uuid, uuid[], json, bigint),
  sse.put_seats(uuid, uuid[], json), sse.remove_seats(uuid, integer), sse.presence(text, text, integer), sse.presence_marks(text[]) from public;
