-- Runs. Only roles with the privilege may execute what follows, as whoever may append to a run writes what
-- clients believe to be its owner's.
-- The plans are kept, and those of an empty table must not read all of a large one: hence without "seqscan".

-- Whether nothing is left of a run: some time after its end, and a minute later where nobody has ended it.
create or replace function sse.run_is_over(till timestamptz, keep bigint, ending text) returns boolean language sql volatile
set search_path = pg_catalog, pg_temp as $sse$
  select $1 + interval '1 millisecond' * ($2 + case when $3 is null then 60000 else 0 end) < clock_timestamp()
$sse$;

-- The newest run of a channel, or the one with the id.
create or replace function sse.find_run(
  channel text, id text, out name text, out format text, out head bigint, out ended boolean, out lease_left double precision
) returns setof record language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $sse$
begin
  return query
    select r.id, r.format, r.head, r.ending is not null, extract(epoch from r.till - clock_timestamp())::double precision * 1000
    from sse.run r where r.channel = $1 and ($2 is null or r.id = $2) and not sse.run_is_over(r.till, r.keep, r.ending)
    order by r.number desc limit 1;
end $sse$;

-- Begins a run, unless the channel has an active one. The channel's active run, or the run itself when it began before.
create or replace function sse.begin_run(
  channel text, id text, format text, lease bigint, keep bigint,
  out name text, out form text, out head bigint, out ended boolean, out lease_left double precision
) returns setof record language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $sse$
declare
  gone bigint[] := array(select r.number from sse.run r where r.channel = $1 and sse.run_is_over(r.till, r.keep, r.ending));
  started bigint;
begin
  delete from sse.run_chunk c where c.run = any (gone);
  delete from sse.run r where r.number = any (gone);
  for attempt in 1 .. 100 loop
    return query select * from sse.find_run($1, $2);
    if found then return; end if;
    insert into sse.run (channel, id, format, lease, keep, till)
    values ($1, $2, $3, $4, $5, clock_timestamp() + interval '1 millisecond' * $4) on conflict do nothing
    returning number into started;
    -- Chunks of a run with this number, where somebody has emptied the other table.
    delete from sse.run_chunk c where c.run = started;
    if started is null then
      return query select f.* from sse.run r, sse.find_run(r.channel, r.id) f where r.channel = $1 and r.ending is null;
      if found then return; end if;
    end if;
  end loop;
  raise exception 'sse: runs of one channel begin and end too fast' using errcode = 'serialization_failure';
end $sse$;

-- Appends chunks to runs: "counts" of them for each, one behind the other in "chunks". "ends": whether a run ends
-- with them. What has become of each.
create or replace function sse.append_runs(
  channels text[], ids text[], afters bigint[], counts bigint[], ends boolean[], chunks text[]
) returns setof text language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $sse$
begin
  return query
    with asked as (
      select a.*, sum(a.count) over (order by a.nth) - a.count as before
      from unnest($1, $2, $3, $4, $5) with ordinality as a (channel, id, after, count, ends, nth)
    ), locked as (
      select r.number, r.head, r.ending, r.lease, a.*, r.ending is null and a.after <= r.head as takes
      from asked a join sse.run r on r.channel = a.channel and r.id = a.id
      where not sse.run_is_over(r.till, r.keep, r.ending) order by r.number for update of r
    ), added as (
      insert into sse.run_chunk (run, seq, chunk)
      select l.number, seq, $6[l.before + seq - l.after]
      from locked l, generate_series(l.head + 1, l.after + l.count) as seq where l.takes
    ), changed as (
      update sse.run r set head = greatest(l.head, l.after + l.count), ending = case when l.ends then 'owner' end,
        till = clock_timestamp() + case when l.ends then interval '0' else interval '1 millisecond' * l.lease end
      from locked l where r.number = l.number and l.takes
    )
    select case
      when l.takes then 'appended'
      -- The call that has ended it may come again.
      when l.ending = 'owner' and l.after + l.count <= l.head then 'appended'
      when l.ending is not null then 'ended'
      else 'gone'
    end
    from asked a left join locked l on l.nth = a.nth order by a.nth;
end $sse$;

-- Appends the last chunks to a run, and ends it; with "lost" only if its lease is over. Whether it has ended.
create or replace function sse.end_run(channel text, id text, chunks text[], lost boolean) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $sse$
declare
  own sse.run;
begin
  select r.* into own from sse.run r where r.channel = $1 and r.id = $2 and not sse.run_is_over(r.till, r.keep, r.ending) for update;
  if own.ending is not null then
    return true;
  end if;
  if own.number is null or lost and own.till > clock_timestamp() then
    return false;
  end if;
  insert into sse.run_chunk (run, seq, chunk)
  select own.number, own.head + c.nth, c.chunk from unnest(chunks) with ordinality as c (chunk, nth);
  update sse.run r set head = r.head + cardinality(chunks), ending = 'other', till = clock_timestamp()
  where r.number = own.number;
  return true;
end $sse$;

-- Reads chunks of runs behind the numbers in "afters", up to "most" of each, until there are about "size" characters.
-- For each run a row without a chunk comes first, which tells how far the run goes; nothing for one that is gone. A
-- number may be null: that row is all then. The last row is without a run if the size was reached. With "news", runs
-- without others are left out.
create or replace function sse.read_runs(
  channels text[], ids text[], afters bigint[], most bigint, size bigint, news boolean,
  out nth bigint, out seq bigint, out chunk text
) returns setof record language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $sse$
declare
  own record;
  total bigint := 0;
begin
  for own in
    select a.nth, a.after, r.number, r.head
    from unnest($1, $2, $3) with ordinality as a (channel, id, after, nth)
    join sse.run r on r.channel = a.channel and r.id = a.id
    where not sse.run_is_over(r.till, r.keep, r.ending) and (not $6 or r.head is distinct from a.after)
    order by a.nth
  loop
    nth := own.nth;
    seq := own.head;
    chunk := null;
    return next;
    for seq, chunk in
      select c.seq, c.chunk from sse.run_chunk c where c.run = own.number and c.seq > own.after order by c.seq limit $4
    loop
      return next;
      total := total + length(chunk);
      if total >= $5 then
        nth := null;
        return next;
        return;
      end if;
    end loop;
  end loop;
end $sse$;

-- Removes up to "most" chunks of runs of which nothing is left. Whether there may be more.
create or replace function sse.clean_runs(most bigint) returns boolean language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  gone bigint[] := array(select r.number from sse.run r where sse.run_is_over(r.till, r.keep, r.ending) limit 1000);
  first bigint := (select min(c.run) from sse.run_chunk c);
  removed bigint;
begin
  if first is not null and not exists (select from sse.run r where r.number = first) then
    -- Somebody has emptied the other table.
    gone := gone || first;
  end if;
  delete from sse.run_chunk c
  where (c.run, c.seq) in (select o.run, o.seq from sse.run_chunk o where o.run = any (gone) limit most);
  get diagnostics removed = row_count;
  if removed < most then
    delete from sse.run r where r.number = any (gone);
  end if;
  return removed = most or cardinality(gone) >= 1000;
end $sse$;

revoke execute on function sse.find_run(text, text), sse.begin_run(text, text, text, bigint, bigint),
  sse.append_runs(text[], text[], bigint[], bigint[], boolean[], text[]), sse.end_run(text, text, text[], boolean),
  sse.read_runs(text[], text[], bigint[], bigint, bigint, boolean), sse.clean_runs(bigint) from public;
