-- Finds out whether the server still knows a call that it has answered. If not, it has lost what the
-- call had brought, and all readers are told.
-- KEYS: marker, the key's stream. ARGV: number of the call, how many ms ago it was answered, PUBLISH or
-- SPUBLISH. Answers: 1 when it was lost.
--!include ../../../redis/lua/parts/announce.lua
local last = string.match(call('GET', KEYS[1]) or '', '^(%d+) ')
if last and tonumber(last) >= tonumber(ARGV[1]) then return 0 end
announce(ARGV[3], KEYS[2], 'failover', nowMs() - ARGV[2])
-- Who asks or sends next finds that readers were told.
call('SET', KEYS[1], ARGV[1] .. ' ', 'PX', MARKER_MS)
return 1
