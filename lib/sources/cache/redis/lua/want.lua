-- Changes the keys that an instance wants, and tells the poller. Drops a change that arrives late.
-- KEYS: instances, the instance's wants, the channel of changes. ARGV: its id, the number of the change,
-- the wants' lifetime in ms, PUBLISH or SPUBLISH, pairs of a key and its rate, '' for none.
local call = redis.call
local number = tonumber(ARGV[2])
if number <= tonumber(call('HGET', KEYS[2], '') or '0') then return 0 end
local change = {ARGV[1], ARGV[2]}
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    call('HDEL', KEYS[2], ARGV[i])
  else
    call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
  change[#change + 1], change[#change + 2] = ARGV[i], ARGV[i + 1]
end
call('HSET', KEYS[2], '', ARGV[2])
call('PEXPIRE', KEYS[2], ARGV[3])
call('HSET', KEYS[1], ARGV[1], '')
call(ARGV[4], KEYS[3], cjson.encode(change))
return 1
