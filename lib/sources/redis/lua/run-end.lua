-- Appends the last chunks to a run, and ends it.
-- KEYS: the key that names the channel's newest run. ARGV: PUBLISH or SPUBLISH, the run's id, 1 to end it only
-- if its lease is over, and the chunks. Answers 1 when the run has ended, by this call or before.
--!include parts/run.lua
local runs = KEYS[1]
local run = recordOf(recordKey(runs, ARGV[2]))
if not run then return 0 end
if run.ended then return 1 end
if ARGV[3] == '1' and run.till > nowMs() then return 0 end
addChunks(ARGV[1], run, run.head, 4, #ARGV)
run.ended = BY_END
call('HSET', run.key, 'h', whole(run.head), 'e', run.ended)
expire(runs, run)
return 1
