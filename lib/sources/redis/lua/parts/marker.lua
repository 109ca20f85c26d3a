--!include announce.lua
-- A marker holds the number of the last call that used it, a blank, and the answers, one a line.
local function lastCall(marker)
  local number, answers = string.match(call('GET', marker) or '', '^(%d+) (.*)')
  return tonumber(number) or 0, answers
end
-- Notes a call, whose number is ARGV[1].
local function noteCall(marker, answers)
  return redis.pcall('SET', marker, ARGV[1] .. ' ' .. answers, 'PX', MARKER_MS)
end
