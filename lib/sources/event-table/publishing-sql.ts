import { quoteText } from '../postgres/identifier.js';
import {
  fieldsCanBeSent,
  idCanComeBack,
  nameCanBeSent,
  retryCanBeWaited,
  topicCanBeOpened,
} from './sendable-sql.js';

/**
 * What wakes the readers at commit, as statements of PL/pgSQL.
 *
 * Transactions that notify commit one after another, in the whole cluster. So by default a
 * transaction notifies only while no other one that is open does; the waker sees to the rest.
 * PREPARE TRANSACTION fails after a notification, so none is sent where that is possible.
 */
export function wakeSql(schema: string): string {
  const channel = quoteText(schema);
  return `case coalesce(current_setting('sse.wake', true), '')
    when 'off' then null;
    when 'on' then perform pg_notify(${channel}, '');
    else
      if current_setting('max_prepared_transactions') = '0'
        and pg_try_advisory_xact_lock(hashtextextended(${quoteText(`nestjs-sse-channels wake ${schema}`)}, 0)) then
        perform pg_notify(${channel}, '');
      end if;
  end case;`;
}

/** The functions that publishers use. `s` is the quoted schema. */
export function publishingSql(s: string, schema: string): string {
  return `-- Refuses what could not be sent as Server-Sent Events.
create or replace function ${s}.check_event(topic text, event text, own_id text, retry integer)
returns void language plpgsql immutable set search_path = pg_catalog, pg_temp as $sse$
begin
  if not (${topicCanBeOpened('topic')}) then
    raise exception 'sse: the topic is empty, longer than 1024 bytes, or has control characters' using errcode = '22023';
  end if;
  if length(event) > 1024 or not (${nameCanBeSent('event')}) then
    raise exception 'sse: the event''s name is "%". Give one line of at most 1024 characters that does not begin with "sse:".', left(event, 80)
      using errcode = '22023';
  end if;
  if length(own_id) > 1024 or not (${idCanComeBack('own_id')}) then
    raise exception 'sse: the event''s id is "%". Give one line of 1 to 1024 characters without control characters, without blanks at its ends, not "earliest", and nothing that could be a position such as 1.42.', left(own_id, 80)
      using errcode = '22023';
  end if;
  if not (${retryCanBeWaited('retry')}) then
    raise exception 'sse: retry is %, and must be at least 0 milliseconds', retry using errcode = '22023';
  end if;
end $sse$;

-- Publishes one event within the caller's transaction.
create or replace function ${s}.publish(
  topic text, data text, event text default null, id text default null,
  retry integer default null, done boolean default false
) returns bigint language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
declare
  result bigint;
begin
  -- The check is called for its message only, as a call costs more than the conditions.
  if not (${topicCanBeOpened('$1')} and ${fieldsCanBeSent('$3', '$4', '$5')}) then
    perform ${s}.check_event($1, $3, $4, $5);
  end if;
  insert into ${s}.event as e (topic, data, event, own_id, retry, done)
  values ($1, $2, $3, $4, $5, coalesce($6, false)) returning e.id into result;
  ${wakeSql(schema)}
  return result;
end $sse$;

-- Publishes many events in their order, and wakes nobody.
create or replace function ${s}.publish_all(
  topics text[], datas text[], events text[], own_ids text[], retries integer[], dones boolean[]
) returns setof bigint language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $sse$
begin
  perform ${s}.check_event(t.topic, t.event, t.own_id, t.retry)
  from unnest($1, $3, $4, $5) as t (topic, event, own_id, retry)
  where not (${topicCanBeOpened('t.topic')} and ${fieldsCanBeSent('t.event', 't.own_id', 't.retry')});
  return query
    insert into ${s}.event as e (topic, data, event, own_id, retry, done)
    select t.topic, t.data, t.event, t.own_id, t.retry, t.done
    from unnest($1, $2, $3, $4, $5, $6) with ordinality
      as t (topic, data, event, own_id, retry, done, place)
    order by t.place
    returning e.id;
end $sse$;
`;
}
