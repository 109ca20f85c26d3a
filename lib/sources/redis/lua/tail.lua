-- Answers where a stream ends, creates a missing stream, and keeps it from expiring. It runs for all open
-- streams at once, so it does not read a large last entry each time.
-- KEYS: stream, its index. ARGV: for how many ms (0: for ever). Answers: the last entry's id.
--!include parts/index.lua
local id = lastId(KEYS[1], KEYS[2], ARGV[1])
keep(KEYS[1], ARGV[1])
keep(KEYS[2], ARGV[1])
return id
