-- Forgets an instance that leaves, and tells the poller.
-- KEYS: instances, its wants, the channel of changes. ARGV: its id, PUBLISH or SPUBLISH.
redis.call('DEL', KEYS[2])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call(ARGV[2], KEYS[3], cjson.encode({ARGV[1]}))
return 1
