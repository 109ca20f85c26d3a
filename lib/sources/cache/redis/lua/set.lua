-- Sets a key, as any other writer would.
-- KEYS: marker, any key of the same slot, key. ARGV: as in numbered.lua, then the value. Answers: 1.
--!include ../../../redis/lua/parts/numbered.lua
call('SET', KEYS[3], ARGV[5])
return done({'1'})
