-- Says where a stream ends, begins one that does not exist, and keeps it from expiring. All open streams
-- are compared at once, so a large last entry is not read each time.
-- KEYS: stream, its index. ARGV: for how many ms (0: for ever). Answers: the last entry's id.
--!include parts/index.lua
local id = lastId(KEYS[1], KEYS[2], ARGV[1])
keep(KEYS[1], ARGV[1])
keep(KEYS[2], ARGV[1])
return id
