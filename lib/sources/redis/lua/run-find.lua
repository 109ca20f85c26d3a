-- Answers the record of a run, or nothing when there is none.
-- KEYS: the key that names the channel's newest run. ARGV: the run's id; empty for the newest run.
--!include parts/run.lua
local id = ARGV[1] ~= '' and ARGV[1] or call('GET', KEYS[1])
local run = id and recordOf(recordKey(KEYS[1], id))
return run and told(id, run)
