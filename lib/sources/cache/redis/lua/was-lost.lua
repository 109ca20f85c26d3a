-- Finds out whether the server still knows a call that it has answered. If not, it has lost what the
-- call had brought, and all readers are told.
-- KEYS: marker, the key's stream. ARGV: number of the call, PUBLISH or SPUBLISH, how many ms ago it was
-- answered. Answers: 1 when it was lost.
--!include ../../../redis/lua/parts/marker.lua
if lastCall(KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
announce(ARGV[2], KEYS[2], 'failover', nowMs() - ARGV[3])
-- Who asks or sends next finds that readers were told.
noteCall(KEYS[1], '')
return 1
