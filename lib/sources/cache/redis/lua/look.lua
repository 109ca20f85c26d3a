-- Reads a value that may be large, unless it is the known one, or too large.
-- KEYS: key. ARGV: how many bytes a value may have; the digest of the known one, if there is one.
-- Answers: nothing when there is no such key, `=` when the value is the known one, how many bytes a
-- value has that is too large, or else the value's length, its digest, and the value itself.
local length = redis.call('STRLEN', KEYS[1])
if length > tonumber(ARGV[1]) then return length end
local value = redis.call('GET', KEYS[1])
if not value then return false end
local digest = redis.sha1hex(value)
if digest == ARGV[2] then return '=' end
return {length, digest, value}
