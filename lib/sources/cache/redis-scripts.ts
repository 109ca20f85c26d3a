import { redisScript } from '../redis/redis-script.js';

/**
 * Takes what waits and then the key itself, all in one step.
 * KEYS: key, waiting list. ARGV: how many at most.
 * Answers: waiting events, the key's own values, the key's type, whether there is more.
 */
export const TAKE = redisScript(`
local limit = tonumber(ARGV[1])
local kind = redis.call('TYPE', KEYS[1]).ok
local waiting = redis.call('LRANGE', KEYS[2], 0, limit - 1)
if #waiting > 0 then redis.call('LTRIM', KEYS[2], #waiting, -1) end
if #waiting == limit then return {waiting, {}, kind, 1} end
if kind == 'string' then return {waiting, {redis.call('GETDEL', KEYS[1])}, kind, 0} end
if kind ~= 'list' then return {waiting, {}, kind, 0} end
local values = redis.call('LRANGE', KEYS[1], 0, limit - 1)
redis.call('LTRIM', KEYS[1], #values, -1)
return {waiting, values, kind, redis.call('EXISTS', KEYS[1])}
`);

/**
 * Moves what waits into the key, as its readers look at the key's value and leave it.
 * KEYS: key, waiting list. ARGV: how many at most.
 * Answers: waiting events, the key's value, whether there is more.
 */
export const SETTLE = redisScript(`
local waiting = redis.call('LRANGE', KEYS[2], 0, tonumber(ARGV[1]) - 1)
if #waiting == 0 then return {waiting, redis.call('GET', KEYS[1]), 0} end
local last = string.sub(waiting[#waiting], 2)
local data = string.sub(last, 1, 1) == '=' and string.sub(last, 2) or cjson.decode(last).data
redis.call('SET', KEYS[1], data, 'KEEPTTL')
redis.call('LTRIM', KEYS[2], #waiting, -1)
return {waiting, data, redis.call('EXISTS', KEYS[2])}
`);

/**
 * Lets events wait. Answers how many: those beyond the limit are left out.
 * KEYS: key, waiting list [, marker of this call]. ARGV: how many at most, time to wait in ms, events.
 * A client that resends what was not acknowledged passes a marker, so that the events come once.
 */
export const PUSH = redisScript(`
if KEYS[3] then
  local before = redis.call('GET', KEYS[3])
  if before then return tonumber(before) end
end
local room = math.max(0, tonumber(ARGV[1]) - redis.call('LLEN', KEYS[2]))
local count = math.min(room, #ARGV - 2)
local flag = redis.call('EXISTS', KEYS[1])
for i = 3, count + 2 do redis.call('RPUSH', KEYS[2], flag .. ARGV[i]) end
if count > 0 then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
if KEYS[3] then redis.call('SET', KEYS[3], count, 'PX', 120000) end
return count
`);

/** Puts events back before all others. KEYS: waiting list. ARGV: time to wait in ms, events, last first. */
export const GIVE_BACK = redisScript(`
for i = 2, #ARGV do redis.call('LPUSH', KEYS[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`);
