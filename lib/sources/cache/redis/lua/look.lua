-- Reads a value that may be large, unless it is unchanged or too large.
-- KEYS: key. ARGV: the most bytes of a value; the digest of the last value, if there is one.
-- Answers: nothing when there is no such key, `=` when the value is unchanged, the number of bytes when
-- the value is too large, or else the value's length, its digest, and the value itself.
local length = redis.call('STRLEN', KEYS[1])
if length > tonumber(ARGV[1]) then return length end
local value = redis.call('GET', KEYS[1])
if not value then return false end
local digest = redis.sha1hex(value)
if digest == ARGV[2] then return '=' end
return {length, digest, value}
