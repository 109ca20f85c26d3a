--!include stream.lua
-- Beside a stream stands an index of the ids that publishers gave its events: a sorted set of digests,
-- whose scores are the places of the events in the stream, so that both are trimmed alike. One look
-- tells whether an id is known, whatever the stream holds.
--
-- A score is `(milliseconds - EPOCH) * NUMBERS + number`, which a double holds exactly until 2093. All
-- numbers from `NUMBERS - 1` on share a score: their event is at that place or behind it.
local EPOCH = 1704067200000 --!export
local NUMBERS = 4096 --!export
-- The number of characters in the digest of an id.
local DIGEST_LENGTH = 16 --!export
-- The member whose score is the place of the last large entry. It is no digest.
local TAIL_MEMBER = 'tail'
-- The index holds the place of an entry of more bytes, so that nobody reads it to learn where the
-- stream ends.
local LARGE_BYTES = 16384
local function scoreOf(time, number)
  local score = (time - EPOCH) * NUMBERS + math.min(number, NUMBERS - 1)
  return math.abs(score) < 9007199254740992 and string.format('%.0f', score)
end
-- Removes the ids of events that the stream has trimmed.
local function trimIds(index, stream)
  local oldest = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local score = oldest and scoreOf(string.match(oldest[1], '^%d+'), 0)
  if score then redis.pcall('ZREMRANGEBYSCORE', index, '-inf', '(' .. score) end
end
-- Without the right to write here, events are still in the stream, but nobody finds them by their ids.
local function noteIds(index, stream, owns, first, age)
  local time, number = string.match(first, '^(%d+)%-(%d+)$')
  local pairs = {}
  for place, digest in string.gmatch(owns, '(%d+):(%x+)') do
    local score = scoreOf(time, number + place)
    if score then
      pairs[#pairs + 1] = score
      pairs[#pairs + 1] = digest
    end
  end
  if #pairs == 0 then return end
  local added = redis.pcall('ZADD', index, 'NX', unpack(pairs))
  if type(added) ~= 'number' then return end
  keep(index, age)
  local size = call('ZCARD', index)
  if passes(64, size - added, size) then trimIds(index, stream) end
end
local function noteTail(index, id, bytes, age)
  if bytes <= LARGE_BYTES then return end
  local time, number = string.match(id, '^(%d+)%-(%d+)$')
  local score = tonumber(number) < NUMBERS - 1 and scoreOf(time, number)
  if score then
    redis.pcall('ZADD', index, score, TAIL_MEMBER)
    keep(index, age)
  end
end
-- Answers the id of a stream's last entry. A stream that does not exist gets its first entry.
local function lastId(stream, index, age)
  local score = redis.pcall('ZSCORE', index, TAIL_MEMBER)
  if type(score) == 'string' then
    local number = tonumber(score) % NUMBERS
    local id = string.format('%.0f-%.0f', (score - number) / NUMBERS + EPOCH, number)
    if call('EXISTS', stream) == 0 then
      redis.pcall('DEL', index)
    elseif #call('XRANGE', stream, '(' .. id, '+', 'COUNT', 1) == 0 then
      return id
    end
  end
  local id, _, _, _, _, fields = tailOrBegin(stream)
  local bytes = 0
  for _, text in ipairs(fields or {}) do bytes = bytes + #text end
  noteTail(index, id, bytes, age)
  return id
end
