-- The trigger functions that turn changed rows into events.

-- Fills a template such as order:{id} from a row, percent-encoded as channelName() does.
-- A row without a value belongs to no channel: null.
create or replace function sse.fill(template text, r jsonb) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $sse$
declare
  result text := '';
  rest text := template;
  part text[];
  value text;
begin
  loop
    part := regexp_match(rest, '^([^{]*)[{]([^{}]*)[}](.*)$');
    exit when part is null;
    if not jsonb_exists(r, part[2]) then
      raise exception 'sse: the channel "%" names the column "%", which the table does not have', template, part[2]
        using errcode = 'undefined_column', hint = 'Create the trigger anew, with a column of the table.';
    end if;
    value := r ->> part[2];
    if coalesce(value, '') = '' then
      return null;
    end if;
    if value !~ '^[A-Za-z0-9_.~-]*$' then
      select string_agg(
        case when c ~ '[A-Za-z0-9_.~-]' then c
          else upper(regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', $$%\1$$, 'g')) end,
        '' order by place)
      into value from regexp_split_to_table(value, '') with ordinality as t (c, place);
    end if;
    result := result || part[1] || value;
    rest := part[3];
  end loop;
  return result || rest;
end $sse$;

-- The listed columns of a row as JSON.
create or replace function sse.pick(r jsonb, columns text[]) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $sse$
begin
  if not jsonb_exists_all(r, columns) then
    raise exception 'sse: the trigger names the column "%", which the table does not have',
        (select c from unnest(columns) as c where not jsonb_exists(r, c) limit 1)
      using errcode = 'undefined_column', hint = 'Create the trigger anew, with columns of the table.';
  end if;
  return (
    select '{' || string_agg(to_json(c)::text || ':' || (r -> c)::text, ',' order by place) || '}'
    from unnest(columns) with ordinality as t (c, place));
end $sse$;

-- For each row: the arguments are the channel, and the columns to send; none for all.
create or replace function sse.row_event() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  r record;
  channel text := tg_argv[0];
  data text;
begin
  if tg_op = 'DELETE' then r := old; else r := new; end if;
  if tg_nargs = 1 then
    data := row_to_json(r)::text;
  else
    data := sse.pick(to_jsonb(r), tg_argv[1 : tg_nargs - 1]);
  end if;
  if strpos(channel, '{') > 0 then
    channel := sse.fill(channel, to_jsonb(r));
    if channel is null then
      return null;
    end if;
  end if;
  insert into sse.event (topic, event, data) values (channel, lower(tg_op), data);
--!include wake.sql
  return null;
end $sse$;

-- For each statement: the same for all of its rows, which have the name sse_rows in the trigger.
create or replace function sse.statement_event() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  columns text[] := tg_argv[1 : tg_nargs - 1];
begin
  insert into sse.event (topic, event, data)
  select t.channel, lower(tg_op), t.data from (
    select case when strpos(tg_argv[0], '{') > 0 then sse.fill(tg_argv[0], to_jsonb(r)) else tg_argv[0] end as channel,
      case when tg_nargs = 1 then row_to_json(r)::text else sse.pick(to_jsonb(r), columns) end as data
    from sse_rows r) t
  where t.channel is not null;
  if found then
--!include wake.sql
  end if;
  return null;
end $sse$;
