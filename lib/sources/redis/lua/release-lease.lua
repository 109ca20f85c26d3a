-- Gives a lease up, and tells the instances that wait for it.
-- KEYS: lease. ARGV: the instance that holds it, PUBLISH or SPUBLISH.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call(ARGV[2], KEYS[1], 'free')
end
return 1
