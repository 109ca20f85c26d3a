-- Wakes the readers at commit.
-- Transactions that notify commit one after another, in the whole cluster. So by default one notifies
-- only while no other open transaction does; the waker sees to the rest. PREPARE TRANSACTION fails
-- after a notification, so none is sent where transactions can be prepared.
case coalesce(current_setting('sse.wake', true), '')
  when 'off' then null;
  when 'on' then perform pg_notify('sse', '');
  else
    if current_setting('max_prepared_transactions') = '0'
      and pg_try_advisory_xact_lock(hashtextextended('nestjs-sse-channels wake sse', 0)) then
      perform pg_notify('sse', '');
    end if;
end case;
