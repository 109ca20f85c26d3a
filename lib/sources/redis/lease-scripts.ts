import { redisScript } from './redis-script.js';

/**
 * Takes a lease that nobody holds, or renews one.
 * KEYS: lease. ARGV: who asks, for how many ms. Answers: 1 when that one holds it now.
 */
export const CLAIM = redisScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

/**
 * Gives a lease up, and tells those who wait for it.
 * KEYS: lease. ARGV: who gives it up, PUBLISH or SPUBLISH.
 */
export const RELEASE = redisScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call(ARGV[2], KEYS[1], 'free')
end
return 1
`);
