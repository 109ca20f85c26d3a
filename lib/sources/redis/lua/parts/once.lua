--!include append.lua
-- Begins the answer for an event with an idempotency key that the stream has had before.
local AGAIN = '=' --!export
-- Appends an event with an idempotency key, unless `record` says that the stream has had one with this
-- key: then the answer is the first one's id behind `AGAIN`. The record is a key that expires `window` ms
-- after the first event. It is written before the entry: what Redis refuses leaves neither behind.
local function appendOnce(record, window, ...)
  if not call('SET', record, '', 'NX', 'PX', window) then return AGAIN .. call('GET', record) end
  local isDone, answer = pcall(append, ...)
  if not isDone then
    call('DEL', record)
    error(answer, 0)
  end
  call('SET', record, answer, 'PX', window)
  return answer
end
