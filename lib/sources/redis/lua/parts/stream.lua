-- The format of streams, shared by all scripts.
-- The message on a stream's channel that wakes the instances that read the stream.
local WAKE = 'wake' --!export
-- The fields of an entry: meta or lengths, data, and the bytes and events of the stream up to here.
local META = 'm' --!export
local LENGTHS = 'l' --!export
local DATA = 'd' --!export
local BYTES = 'b'
local EVENTS = 'n'
-- The meta of entries that are no events: the stream begins, ids go on here, a reset.
local BEGIN = 'o' --!export
local GO_ON = '-' --!export
local RESET = 'x' --!export
-- How long a marker remembers the number of a call.
local MARKER_MS = 600000 --!export
local call = redis.call
-- A number that a double holds exactly. Another program may have written the text.
local function numberOf(text)
  local number = tonumber(text)
  return number and number >= 0 and number < 1e15 and number == math.floor(number) and number
end
-- Whether a growing number passes a multiple of a step.
local function passes(step, before, after)
  return math.floor(before / step) ~= math.floor(after / step)
end
local function countsOf(entry)
  local fields = entry[2]
  if fields[5] == BYTES and fields[7] == EVENTS then return numberOf(fields[6]), numberOf(fields[8]) end
end
-- The last entry of a stream: its id, how many bytes and events the stream had up to it, its first
-- field, its data, and all its fields. A stream that does not exist gets a first entry, so that every
-- position is an entry: one that is not found was lost or trimmed.
local function tailOrBegin(stream)
  local tail = call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if not tail then
    return call('XADD', stream, '*', META, BEGIN, DATA, '', BYTES, 0, EVENTS, 0), 0, 0, BEGIN, ''
  end
  local bytes, events = countsOf(tail)
  if not (bytes and events) then
    -- Another program wrote the last entry: the counts go on from our own last entry.
    for _, entry in ipairs(call('XREVRANGE', stream, '+', '-', 'COUNT', 100)) do
      bytes, events = countsOf(entry)
      if bytes and events then break end
    end
  end
  return tail[1], bytes or 0, events or 0, tail[2][2], tail[2][4], tail[2]
end
-- Publishes a message. Without the right to publish, readers find the entry by comparing tails. An
-- error would say that nothing was written, and the publisher would write it again and again; so
-- the reason is kept in `untold`.
local untold
local function tell(publish, stream, text)
  local sent = redis.pcall(publish, stream, text)
  untold = type(sent) == 'table' and sent.err or untold
end
-- An error of one part of a call as its answer. Redis 6.2 throws text that begins with a place in the script.
local function refusal(thrown)
  local text = type(thrown) == 'table' and thrown.err or thrown
  return '!' .. string.gsub(text, '@user_script: ?%d+: ?', '')
end
local function nowMs()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function keep(stream, age)
  if age ~= '0' then call('PEXPIRE', stream, age) end
end
