import { redisScript } from '../redis/redis-script.js';

/*
 * In all of these, `instances` is a hash of how often each instance has beaten, by its id, and
 * `elected` a hash of the ids of the elected instances, by what they are elected for. An instance
 * that is not among `instances` holds no office, whatever `elected` says.
 */

/**
 * Says that an instance lives, and who else does.
 * KEYS: instances, elected. ARGV: id, how often it has beaten, for how many ms both are kept.
 * Answers: `instances`, or false when this one was declared dead and has to come with another id.
 */
export const BEAT = redisScript(`
if ARGV[2] ~= '1' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return false end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return redis.call('HGETALL', KEYS[1])
`);

/**
 * Elects an instance wherever nobody who lives is elected.
 * KEYS: instances, elected. ARGV: id, for how many ms \`elected\` is kept, names.
 * Answers: who is elected for each, '' for the one that asks; or false when it was declared dead.
 */
export const CLAIM = redisScript(`
local me = ARGV[1]
if redis.call('HEXISTS', KEYS[1], me) == 0 then return false end
local lives, answer = {[me] = true}, {}
for i = 3, #ARGV do
  local id = redis.call('HGET', KEYS[2], ARGV[i])
  if id and lives[id] == nil then lives[id] = redis.call('HEXISTS', KEYS[1], id) == 1 end
  if not id or not lives[id] then
    redis.call('HSET', KEYS[2], ARGV[i], me)
    id = me
  end
  answer[i - 2] = id == me and '' or id
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return answer
`);

/**
 * Gives up what an instance is elected for, and tells the others.
 * KEYS: elected. ARGV: id, PUBLISH or SPUBLISH, names.
 */
export const RELEASE = redisScript(`
local free = {}
for i = 3, #ARGV do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
    free[#free + 1] = ARGV[i]
  end
end
if #free > 0 then redis.call(ARGV[2], KEYS[1], cjson.encode(free)) end
return #free
`);

/**
 * Declares an instance dead, unless it has beaten since it was seen last.
 * KEYS: instances. ARGV: its id, how often it had beaten. Answers: 1 when it is dead now.
 */
export const BURY = redisScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
`);

/**
 * Forgets a part of what dead instances were elected for, as nobody else may read these keys.
 * KEYS: instances, elected. ARGV: where to go on. Answers: where to go on, 0 at the end.
 */
export const SWEEP = redisScript(`
local page = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', 500)
local pairs = page[2]
for i = 1, #pairs, 2 do
  if redis.call('HEXISTS', KEYS[1], pairs[i + 1]) == 0 then redis.call('HDEL', KEYS[2], pairs[i]) end
end
return page[1]
`);

/** An instance goes. KEYS: instances. ARGV: id. */
export const LEAVE = redisScript(`
return redis.call('HDEL', KEYS[1], ARGV[1])
`);
