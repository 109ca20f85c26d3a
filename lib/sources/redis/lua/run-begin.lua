-- Begins a run, unless the channel has an active one.
-- KEYS: the key that names the channel's newest run. ARGV: the run's id and format, the lease and the time to
-- keep it in ms. Answers the record of the channel's active run; of the run itself when it began before.
--!include parts/run.lua
local runs, id, lease, keeps = KEYS[1], ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local own = recordOf(recordKey(runs, id))
if own then return told(id, own) end
local newest = call('GET', runs)
local active = newest and recordOf(recordKey(runs, newest))
if active and not active.ended then return told(newest, active) end
local now = nowMs()
local run = {
  key = recordKey(runs, id), head = 0, lease = lease, keeps = keeps, till = now + lease, format = ARGV[2],
}
call('HSET', run.key, 'h', 0, 'e', 0, 'l', lease, 'k', keeps, 'u', whole(run.till), 'x', 0, 'f', run.format)
-- Chunks of a run with this id that was removed in part.
call('DEL', chunksKey(run.key))
call('SET', runs, id)
expire(runs, run, now)
return told(id, run)
