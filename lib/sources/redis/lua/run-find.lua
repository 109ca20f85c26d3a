-- Answers the record of a run, or nothing when there is none.
-- KEYS: its record. ARGV: its id.
--!include parts/run.lua
local run = recordOf(KEYS[1])
return run and told(ARGV[1], run)
