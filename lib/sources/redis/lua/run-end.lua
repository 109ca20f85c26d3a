-- Appends the last chunks to a run, and ends it.
-- KEYS: the key that names the channel's newest run, the run's record, its chunks. ARGV: PUBLISH or SPUBLISH, 1 to
-- end it only if its lease is over, and the chunks. Answers 1 when the run has ended, by this call or before.
--!include parts/run.lua
local runs, key, chunks = unpack(KEYS)
local run = recordOf(key)
if not run then return 0 end
if run.ended then return 1 end
if ARGV[2] == '1' and run.till > nowMs() then return 0 end
addChunks(ARGV[1], run, chunks, run.head, 3, #ARGV)
run.ended = BY_END
call('HSET', key, 'h', whole(run.head), 'e', run.ended)
expire(runs, run, chunks)
return 1
