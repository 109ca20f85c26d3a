-- Sets a key, as any other writer would. KEYS: marker, any of the same slot, key.
-- ARGV: number of this call, PUBLISH or SPUBLISH, value.
-- Answers: the number of this call, and a blank.
--!include ../../../redis/lua/parts/marker.lua
call('SET', KEYS[3], ARGV[3])
return done('')
