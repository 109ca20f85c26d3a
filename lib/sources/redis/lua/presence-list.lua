-- Answers how many connections and members a channel has, the ids of some members as JSON, and their seats.
-- KEYS: the channel's presence, its members. ARGV: after which id, as JSON, or empty; how many members.
--!include parts/seats.lua
local presence, members = KEYS[1], KEYS[2]
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local ids = redis.call('ZRANGEBYLEX', members, from, '+', 'LIMIT', 0, ARGV[2])
local seats = #ids > 0 and redis.call('HMGET', presence, unpack(ids)) or {}
return { tonumber(redis.call('HGET', presence, TOTAL) or 0), redis.call('ZCARD', members), ids, seats }
