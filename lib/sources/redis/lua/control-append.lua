-- Appends a command to the control log, and tells those who listen.
-- KEYS: the log. ARGV: PUBLISH or SPUBLISH, for how many ms commands are kept, the command.
-- The message: the id of the entry before, a blank, the id of the entry, a line feed, and the command.
--!include parts/control.lua
local log, age = KEYS[1], tonumber(ARGV[2])
local previous = lastCommand(log)
local id = call('XADD', log, '*', COMMAND, ARGV[3])
-- One older entry stays: an instance that has been away for less than that stands at it or behind it.
local oldest = call('XREVRANGE', log, string.format('%.0f', nowMs() - age), '-', 'COUNT', 1)[1]
if oldest then call('XTRIM', log, 'MINID', oldest[1]) end
keep(log, ARGV[2])
-- Without the right to publish, instances find the entry when they read the log.
redis.pcall(ARGV[1], log, previous .. ' ' .. id .. '\n' .. ARGV[3])
return id
