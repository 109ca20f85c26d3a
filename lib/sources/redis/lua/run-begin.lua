-- Begins a run, unless the channel has an active one.
-- KEYS: the key that names the channel's newest run, the run's record, its chunks, and in a second call the record
-- of the newest run. ARGV: the run's id and format, the lease and the time to keep it in ms, and 1 in a Cluster.
-- Answers the record of the channel's active run; of the run itself when it began before. Answers the id of the
-- newest run alone when that may have a record elsewhere: then its record is to be one of the keys.
--!include parts/run.lua
local runs, key, chunks = unpack(KEYS)
local id, format, lease, keeps = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local own = recordOf(key)
if own then return told(id, own) end
local newest = call('GET', runs)
if newest then
  local record = runs .. ':' .. newest
  local active = recordOf(record)
  if active and not active.ended then return told(newest, active) end
  -- Without its record it is lost. Or the slot moves, and the other node has the record, which the server tells
  -- only of keys that it knows of.
  if not active and ARGV[5] == '1' and KEYS[4] ~= record then return newest end
end
local now = nowMs()
local run = { key = key, head = 0, lease = lease, keeps = keeps, till = now + lease, format = format }
call('HSET', key, 'h', 0, 'e', 0, 'l', lease, 'k', keeps, 'u', whole(run.till), 'x', 0, 'f', format)
-- Chunks of a run with this id that was removed in part.
call('DEL', chunks)
call('SET', runs, id)
expire(runs, run, chunks, now)
return told(id, run)
