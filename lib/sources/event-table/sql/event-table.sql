-- The event table of nestjs-sse-channels, version 5. May be run again at any time.
do $sse$ begin
  -- Not "create schema if not exists", which asks for the privilege even where the schema exists.
  if to_regnamespace('"sse"') is null then
    create schema "sse";
  end if;
end $sse$;
create table if not exists sse.meta (
  version integer primary key,
  installed_at timestamptz not null default now()
);
do $sse$ begin
  if exists (select from sse.meta where version > 5) then
    raise exception 'The event table is newer than version 5.'
      using hint = 'Use the release of nestjs-sse-channels that installed it, or a later one.';
  end if;
end $sse$;

--!include parts/history.sql

--!include parts/versions.sql

--!include parts/reading.sql

--!include parts/publishing.sql

--!include parts/once.sql

--!include parts/row-event.sql

--!include parts/retention.sql

--!include parts/presence.sql

--!include parts/run.sql

-- The first partitions, if there are none.
do $sse$ begin perform sse.extend(1000000, 3); end $sse$;
insert into sse.meta (version)
select 5 where not exists (select from sse.meta where version >= 5);
