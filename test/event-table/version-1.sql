-- The table as version 1 made it.
create schema sse;
create table sse.meta (
  version integer primary key,
  installed_at timestamptz not null default now()
);
insert into sse.meta (version) values (1);
create table sse.event (
  id bigint generated always as identity (cache 1),
  topic text not null,
  event text,
  data text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (id)
) partition by range (id);
create index event_topic_id on sse.event (topic, id);
create table sse.event_1 partition of sse.event for values from (1) to (1000001);
