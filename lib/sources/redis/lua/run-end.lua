-- Appends the last chunks to a run, and ends it.
-- KEYS: the key that names the channel's newest run, the run's record, its chunks. ARGV: PUBLISH or SPUBLISH, 1 to
-- end it only if its lease is over, and the chunks. Answers 1 when the run has ended, by this call or before.
--!include parts/run.lua
local runs, key, chunks = unpack(KEYS)
local run = recordOf(key)
if not run then return 0 end
if run.ended then return 1 end
if ARGV[2] == '1' and run.till > nowMs() then return 0 end
local message = addChunks(ARGV[1], run, chunks, run.head, 3, #ARGV)
if not message then
  -- An eviction has taken the chunks, or another program has written there, so that nobody can read the run's end.
  -- Without its record the run is gone, which the followers find when they look for what they have missed.
  call('DEL', key)
  tell(ARGV[1], chunks, whole(run.head + 1) .. ' ')
  return 1
end
run.ended = BY_END
call('HSET', key, 'h', whole(run.head), 'e', run.ended)
expire(runs, run, chunks)
-- The run's own instance follows its record, and not the chunks, which it knows.
tell(ARGV[1], key, message)
return 1
