-- Takes a lease that nobody holds, or renews one.
-- KEYS: lease. ARGV: the instance that asks, for how many ms. Answers: 1 when that instance holds it.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
