--!include stream.lua
--!include index.lua
-- Appends events to a stream as one entry, publishes them in one message, and answers the id of the
-- first of them. The others follow it in the same millisecond. The entry has the last one's id, so that
-- the next entry's id is greater than all of them.
--
-- A single event without meta is the data of an entry whose meta is empty. Others have the lengths that
-- `lengthsOf()` makes of them. An entry counts the bytes and the events of the stream up to itself: what
-- is retained is the difference of two such numbers. Retention need not be exact, so the script trims
-- only when a count passes a multiple of some step.
--
-- `owns` holds the ids that publishers gave, as `ownIdsOf()` writes them, for the index.
--
-- The script that includes this sets `publish` (PUBLISH or SPUBLISH), `maxEvents`, `age` and
-- `maxBytes`: `RedisStreams.limits`.
if maxBytes == 0 then maxBytes = math.huge end
local now
local function idsAfter(previous, count)
  if not now then now = string.format('%.0f', nowMs()) end
  local time, number = string.match(previous, '^(%d+)%-(%d+)$')
  if tonumber(time) < tonumber(now) then
    time, number = now, -1
  elseif #number > 15 and #time < 16 then
    -- Another program chose an id so large that a double does not hold it exactly.
    time, number = string.format('%.0f', time + 1), -1
  end
  local id = time .. '-%.0f'
  return string.format(id, number + 1), string.format(id, number + count)
end
local function trimAge(stream, newest)
  local oldest = tonumber(string.match(newest, '^%d+')) - tonumber(age)
  if oldest > 0 then call('XTRIM', stream, 'MINID', '~', string.format('%.0f', oldest)) end
end
local function trim(stream, bytes, events, most)
  local from = '-'
  repeat
    local page = call('XRANGE', stream, from, '+', 'COUNT', 4)
    local kept
    for _, entry in ipairs(page) do
      local b, n = countsOf(entry)
      -- Counts above the newest ones are not ours, and mean nothing.
      local isCounted = b and n and b <= bytes and n <= events
      if isCounted and bytes - b < maxBytes and events - n < most then
        kept = entry[1]
        break
      end
      -- Trimming has begun: it goes down to the limit.
      from, most = '(' .. entry[1], maxEvents
    end
    if kept and from ~= '-' then call('XTRIM', stream, 'MINID', kept) end
  until kept or #page < 4
end
local function append(stream, count, lengths, text, index, owns)
  local previous, bytesBefore, eventsBefore, meta = tailOrBegin(stream)
  -- An index that exists before its stream belongs to a stream that is gone.
  if meta == BEGIN then call('DEL', index) end
  local bytes, events = bytesBefore + #text, eventsBefore + count
  local first, newest
  if lengths == '' then
    newest = call('XADD', stream, 'MAXLEN', '~', maxEvents, '*',
      META, '', DATA, text, BYTES, bytes, EVENTS, events)
    first = newest
  else
    local function add(by, after)
      first, newest = idsAfter(after, count)
      return by('XADD', stream, 'MAXLEN', '~', maxEvents, newest,
        LENGTHS, lengths, DATA, text, BYTES, bytes, EVENTS, events)
    end
    if type(add(redis.pcall, previous)) == 'table' then
      -- Somebody deleted the last entry, but Redis takes no id below it: a mark shows where ids go on.
      local mark = call('XADD', stream, '*',
        META, GO_ON, DATA, '', BYTES, bytesBefore, EVENTS, eventsBefore)
      add(call, mark)
    end
  end
  if passes(4096, bytesBefore, bytes) then
    if age ~= '0' then trimAge(stream, newest) end
    if passes(maxBytes / 16, bytesBefore, bytes) then trim(stream, bytes, events, maxEvents) end
  end
  if passes(math.max(16, maxEvents / 16), eventsBefore, events) then
    -- MAXLEN trims entries of one event, a node of the stream at a time.
    trim(stream, bytes, events, maxEvents + math.max(128, maxEvents / 8))
  end
  keep(stream, age)
  if owns ~= '' then noteIds(index, stream, owns, first, age) end
  noteTail(index, newest, #text, age)
  tell(publish, stream, previous .. ' ' .. first .. ' ' .. lengths .. '\n' .. text)
  return first
end
