-- Gives a lease up, and tells those who wait for it.
-- KEYS: lease. ARGV: who gives it up, PUBLISH or SPUBLISH.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call(ARGV[2], KEYS[1], 'free')
end
return 1
