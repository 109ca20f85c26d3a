--!include stream.lua
-- The control log: a stream whose entries are commands to all instances. It always has an entry, so
-- that a place that is not found was lost.
-- The field of an entry that holds the command; empty where the log begins.
local COMMAND = 'c' --!export
local function lastCommand(log)
  local tail = call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  return tail and tail[1] or call('XADD', log, '*', COMMAND, '')
end
