-- Written by nestjs-sse-channels. Tells readers of a channel of each changed row.
-- One function serves every table of its schema; its arguments are the channel and the key columns.
-- It never makes a statement fail: a large row is sent as its key, an error becomes a warning.
create or replace function sse_notify_row() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $sse$
declare
  r record;
  head text := '{"sse":"' || lower(tg_op) || '","data":';
  payload text;
  key jsonb;
begin
  if tg_op = 'DELETE' then r := old; else r := new; end if;
  payload := head || row_to_json(r)::text || '}';
  -- Postgres refuses 8000 bytes, and the statement with it.
  if octet_length(payload) > 7900 then
    if tg_nargs > 1 then
      select jsonb_object_agg(name, to_jsonb(r) -> name) into key
      from unnest(tg_argv[1 : tg_nargs - 1]) as name;
    else
      select jsonb_object_agg(a.attname, to_jsonb(r) -> a.attname::text) into key
      from pg_index i join pg_attribute a on a.attrelid = i.indrelid
        and a.attnum = any ((i.indkey::int2[])[0 : i.indnkeyatts - 1])
      where i.indrelid = tg_relid and i.indisprimary;
    end if;
    payload := head || (coalesce(key, '{}') || '{"truncated": true}')::text || '}';
    if octet_length(payload) > 7900 then
      payload := head || '{"truncated":' || 'true}}';
    end if;
  end if;
  perform pg_notify(tg_argv[0], payload);
  return null;
exception when others then
  raise warning 'sse: % on % was not notified: %', lower(tg_op), tg_relid::regclass, sqlerrm;
  return null;
end $sse$;
