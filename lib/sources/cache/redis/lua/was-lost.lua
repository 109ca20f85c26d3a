-- Finds out whether the server still knows a call that it has answered. If not, the server has lost the
-- call's events, and an announcement tells all readers.
-- KEYS: marker, the key's stream. ARGV: number of the call, PUBLISH or SPUBLISH, how many ms ago it was
-- answered. Answers: 1 when it was lost.
--!include ../../../redis/lua/parts/marker.lua
if lastCall(KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
announce(ARGV[2], KEYS[2], 'failover', nowMs() - ARGV[3])
-- The next call finds in the marker that readers know.
noteCall(KEYS[1], '')
return 1
