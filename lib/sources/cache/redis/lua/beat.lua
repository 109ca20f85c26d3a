-- Tells Redis that an instance lives.
--
-- Each instance has a hash, `wants`, of the keys that it wants polled: keys and their rates, and under
-- the empty name, which no key has, the number of the last change. The hash expires unless the instance
-- renews it. `instances` is a hash with the ids of all instances.
--
-- KEYS: lease of the poller, instances, the instance's wants. ARGV: its id, the wants' lifetime in ms.
-- Answers: the poller's id, the number of this instance's last change ('' when Redis knows none), and to
-- the poller also each instance and the number of its last change.
local call, me = redis.call, ARGV[1]
local poller, version = call('GET', KEYS[1]) or '', call('HGET', KEYS[3], '') or ''
if version ~= '' then
  call('PEXPIRE', KEYS[3], ARGV[2])
  call('HSET', KEYS[2], me, '')
  call('PEXPIRE', KEYS[2], ARGV[2] * 30)
end
local answer = {poller, version}
if poller ~= me then return answer end
local prefix = string.sub(KEYS[3], 1, -#me - 1)
local ids = call('HGETALL', KEYS[2])
for i = 1, #ids, 2 do
  local number = call('HGET', prefix .. ids[i], '')
  if number then
    answer[#answer + 1] = ids[i]
    answer[#answer + 1] = number
  else
    call('HDEL', KEYS[2], ids[i])
  end
end
return answer
