-- Finds out why an event that this instance appended or read is missing. If it was not trimmed, the
-- server has lost it, and maybe others: an entry announces that to every reader.
-- KEYS: stream, its index. ARGV: the event's id, PUBLISH or SPUBLISH, for how many ms to keep the stream.
-- Answers: `here`, `trimmed` or `lost`, and the last entry's id, which with `lost` is the announcement's.
--!include parts/index.lua
--!include parts/announce.lua
--!include parts/holds.lua
local stream, id = KEYS[1], ARGV[1]
local time, number = numbersOf(id)
local tail = lastId(stream, KEYS[2], ARGV[3])
keep(stream, ARGV[3])
if tail == id then return {'here', tail} end
local entry = call('XRANGE', stream, id, '+', 'COUNT', 1)[1]
if entry and holdsIt(entry, id) then return {'here', tail} end
local first = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if first and not (first[2][1] == META and first[2][2] == BEGIN) then
  local firstTime, firstNumber = numbersOf(first[1])
  local isBefore = time < firstTime or (time == firstTime and number < firstNumber)
  if isBefore then return {'trimmed', tail} end
end
return {'lost', announce(ARGV[2], stream, 'failover', time)}
