-- Reads the control log on from an entry, or from the beginning.
-- KEYS: the log. ARGV: the id of the entry, empty for none; how many entries at most; for how many ms
-- commands are kept. Answers: 1 when the entry is not there any more, else 0, the time in ms, and the
-- entries: those behind it, or all when it is not there.
--!include parts/control.lua
local log, after = KEYS[1], ARGV[1]
lastCommand(log)
keep(log, ARGV[3])
local isLost = after ~= '' and #call('XRANGE', log, after, after) == 0
local from = (after == '' or isLost) and '-' or '(' .. after
return {isLost and 1 or 0, string.format('%.0f', nowMs()), call('XRANGE', log, from, '+', 'COUNT', ARGV[2])}
