-- Takes the waiting events and then the key's own values, and appends them to the stream that the key's
-- readers on all instances follow, in one step: nothing is lost, even if the reply is.
--
-- It also removes a value that is no event, or too large, and a reset stands in its place. One call works
-- until a budget is spent, so that it blocks nobody for long, but takes at least one value.
--
-- KEYS: key, waiting list, stream, its index. ARGV: PUBLISH or SPUBLISH, `RedisStreams.limits`, the
-- budgets: values, bytes, microseconds; and the most bytes of one value.
-- Answers: the number of taken values, the type of the key, the type of the waiting list, 1 when there is
-- more, the number of values left out, the bytes of the first of those (-1 when it was no event), and the
-- number of bytes handled.
local publish, age = ARGV[1], ARGV[3]
local maxEvents, maxBytes = tonumber(ARGV[2]), tonumber(ARGV[4])
--!include ../../../redis/lua/parts/append.lua
--!include ../../../redis/lua/parts/announce.lua

-- A text of up to so many bytes travels together with others, if it is ASCII: only then its length in
-- characters is its length in bytes.
local SMALL = 8192
-- About the most bytes that travel together.
local TOGETHER = 131072
-- The most elements of one LRANGE, as an element may have any size.
local STEP = 16

local key, waiting, stream, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local most, budget, largest = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8])
local function micros()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end
local deadline = micros() + ARGV[7]

-- The events that travel together.
local texts, lengths, size, owns = {}, {}, 0, ''
local function flush()
  if #texts == 1 and not string.find(lengths[1], '+', 1, true) then lengths[1] = '' end
  if #texts > 0 then
    append(stream, #texts, table.concat(lengths, ','), table.concat(texts), index, owns)
  end
  texts, lengths, size, owns = {}, {}, 0, ''
end
local skipped, first, isAnnounced = 0, 0, false
local function skip(bytes)
  if skipped == 0 then first = bytes end
  if not isAnnounced then
    flush()
    announce(publish, stream, 'skipped-event', 0)
  end
  skipped, isAnnounced = skipped + 1, true
end
local handledBytes = 0
local function add(length, text, own)
  isAnnounced, handledBytes = false, handledBytes + #text
  if #text <= SMALL and not string.find(text, '[\128-\255]') then
    if own then owns = owns .. #texts .. ':' .. own .. ',' end
    texts[#texts + 1], lengths[#lengths + 1], size = text, length or tostring(#text), size + #text
    if size >= TOGETHER then flush() end
  else
    -- Another program may write bytes that are not text, whose length nobody knows: they travel alone.
    flush()
    append(stream, 1, length or '', text, index, own and '0:' .. own or '')
  end
end
local function addValue(text)
  if #text > largest then skip(#text) else add(nil, text) end
end
local function addWaiting(text)
  if string.find(text, '^[01]=') then return addValue(string.sub(text, 3)) end
  local length, meta, data, at = string.match(text, '^[01]%+((%d+)%+(%d+))\n()')
  local bytes = length and #text - at + 1 - meta
  -- A character has one to three bytes for each of its units.
  if not length or bytes < tonumber(data) or bytes > data * 3 then return skip(-1) end
  -- In ASCII it has one. With another length it would spoil the events that it travels with.
  if bytes ~= tonumber(data) and not string.find(text, '[\128-\255]', at) then return skip(-1) end
  if bytes > largest then return skip(bytes) end
  -- JSON in ASCII, in which an id stands last.
  local own = string.match(string.sub(text, at, at + meta - 1), '"i":(".*")}$')
  add(length, string.sub(text, at), own and string.sub(redis.sha1hex(own), 1, DIGEST_LENGTH))
end

-- Reads elements of a list until a budget is spent. Answers whether there are more.
local function read(list, elements, count, bytes)
  local step = 1
  while count == 0 or (count < most and bytes < budget) do
    local page = call('LRANGE', list, #elements, #elements + step - 1)
    for _, element in ipairs(page) do
      elements[#elements + 1], count, bytes = element, count + 1, bytes + #element
    end
    if #page < step then return false end
    step = math.min(STEP, step * 2, math.max(1, most - count))
  end
  return call('LLEN', list) > #elements
end
local handled = 0
-- Hands elements on until the time is over. Answers their number.
local function handOn(elements, from, to, by)
  for i = from, to do
    local isTimeToLook = handled > 0 and (handled % 8 == 0 or #elements[i] > SMALL)
    if isTimeToLook and micros() >= deadline then return i - from end
    by(elements[i])
    handled = handled + 1
  end
  return to - from + 1
end

local kind, waitingKind = call('TYPE', key).ok, call('TYPE', waiting).ok
local events, values, isCut = {}, {}, false
if waitingKind == 'list' then isCut = read(waiting, events, 0, 0) end
-- The key's own values come behind the last event that found the key empty.
local behind, bytes = #events, 0
while behind > 0 and string.sub(events[behind], 1, 1) == '1' do behind = behind - 1 end
for i = 1, behind do bytes = bytes + #events[i] end
local taken, takenValues = handOn(events, 1, behind, addWaiting), 0
local isMore = isCut or taken < behind
if taken == behind and (behind < #events or not isCut) then
  local areMore = false
  if kind == 'string' then
    local length = call('STRLEN', key)
    if length > largest then skip(length) else add(nil, call('GET', key)) end
    takenValues = 1
  elseif kind == 'list' then
    areMore = read(key, values, behind, bytes)
    takenValues = handOn(values, 1, #values, addValue)
    areMore = areMore or takenValues < #values
  end
  if not areMore then taken = taken + handOn(events, behind + 1, #events, addWaiting) end
  isMore = isMore or areMore or taken < #events
end
flush()
if taken > 0 then call('LTRIM', waiting, taken, -1) end
if kind == 'string' and takenValues > 0 then call('DEL', key) end
if kind == 'list' and takenValues > 0 then call('LTRIM', key, takenValues, -1) end
-- Readers find these entries late, so the caller has to know.
if untold then return redis.error_reply(untold) end
return {taken + takenValues - skipped, kind, waitingKind, isMore and 1 or 0, skipped, first, handledBytes}
