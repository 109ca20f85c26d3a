--!include stream.lua
-- Announces to all readers of a stream that events may be missing, by an entry that is part of the
-- channel like any other. Answers the entry's id. If the last entry announces the same already, and is
-- not older than `since` (milliseconds since the epoch), no second one follows.
local function announce(publish, stream, reason, since)
  local tail, bytes, events, meta, data = tailOrBegin(stream)
  local time = tonumber(string.match(tail, '^%d+'))
  if meta == RESET and data == reason and time >= since then return tail end
  local id = call('XADD', stream, '*', META, RESET, DATA, reason, BYTES, bytes, EVENTS, events)
  tell(publish, stream, tail .. ' ' .. id .. ' 1+' .. #reason .. '\n' .. RESET .. reason)
  return id
end
