-- Takes the waiting events of a watched key, and sets the key to the last one. It works until a budget
-- is spent, but takes at least one event.
-- KEYS: key, waiting list. ARGV: the most events, the most bytes.
-- Answers: the events in their waiting form, and 1 when there is more: further events, or a value that
-- came after all of them.
local call = redis.call
local waiting, bytes = {}, 0
while #waiting < tonumber(ARGV[1]) and bytes < tonumber(ARGV[2]) do
  local event = call('LINDEX', KEYS[2], #waiting)
  if not event then break end
  waiting[#waiting + 1], bytes = event, bytes + #event
end
local function dataOf(event)
  if string.find(event, '^[01]=') then return string.sub(event, 3) end
  local meta, at = string.match(event, '^[01]%+(%d+)%+%d+\n()')
  return meta and string.sub(event, at + meta)
end
local i, data = #waiting, nil
while i > 0 and not data do
  data = dataOf(waiting[i])
  i = i - 1
end
local isMore = call('LLEN', KEYS[2]) > #waiting
if data and not isMore then
  -- A value that came after the last event remains.
  isMore = string.sub(waiting[i + 1], 1, 1) == '0' and call('EXISTS', KEYS[1]) == 1
  if not isMore then call('SET', KEYS[1], data, 'KEEPTTL') end
end
if #waiting > 0 then call('LTRIM', KEYS[2], #waiting, -1) end
return {waiting, isMore and 1 or 0}
