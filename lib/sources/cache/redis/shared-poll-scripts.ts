import { redisScript } from '../../redis/redis-script.js';

/*
 * What an instance wants polled is a hash of its own, `wants`: keys and their rates, and under the
 * empty name, which no key has, the number of the last change. It lives for as long as the
 * instance renews it. `instances` is a hash with the ids of all instances.
 */

/**
 * Says that an instance lives.
 * KEYS: lease of the poller, instances, the instance's wants. ARGV: its id, for how many ms that
 * holds. Answers: the poller's id, the number of the last change that is known of this instance
 * ('' when nothing is), and to the poller also each instance and the number of its last change.
 */
export const BEAT = redisScript(`
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
`);

/**
 * Changes what an instance wants, and tells the poller. A change that arrives late is dropped.
 * KEYS: instances, the instance's wants, the channel of changes. ARGV: its id, the number of the
 * change, for how many ms it holds, PUBLISH or SPUBLISH, pairs of a key and its rate, '' for none.
 */
export const WANT = redisScript(`
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
`);

/**
 * An instance wants nothing any more. KEYS: instances, its wants, the channel of changes.
 * ARGV: its id, PUBLISH or SPUBLISH.
 */
export const LEAVE = redisScript(`
redis.call('DEL', KEYS[2])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call(ARGV[2], KEYS[3], cjson.encode({ARGV[1]}))
return 1
`);
