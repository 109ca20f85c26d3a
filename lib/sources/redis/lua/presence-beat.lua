-- Shows that an instance lives, registers the channels in which it has seats, and finds the dead.
--
-- KEYS: the instances, by the time until which they count as alive; the dead ones, by the time from which
-- somebody is to remove their seats; the channels of this instance.
-- ARGV: the instance, whether it is new (1 or 0), for how many ms it counts as alive, how often instances show
-- that they live, how long the removal of a dead one's seats may take, the number of names that the instance
-- has had before, these, the number of channels to register, these, and the channels to leave.
-- Answers whether the instance is known (1 or 0), and the dead ones whose seats it is to remove.
--!include parts/stream.lua
local instances, dead, channels = KEYS[1], KEYS[2], KEYS[3]
local instance, alive, interval, removal = ARGV[1], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local now = nowMs()
local function at(time) return string.format('%.0f', time) end
-- No instance has this name: its time is that of the last beat of any.
local ANY = ''
local last = tonumber(call('ZSCORE', instances, ANY) or now)
local pause = now - last - 2 * interval
if pause > 0 then
  -- Nobody could show that it lives: the server was away.
  for _, each in ipairs(call('ZRANGE', instances, 0, -1)) do call('ZINCRBY', instances, at(pause), each) end
end
call('ZADD', instances, at(now), ANY)
if ARGV[2] == '0' and not call('ZSCORE', instances, instance) then return { 0 } end
call('ZADD', instances, at(now + alive), instance)
local place = 7
for _ = 1, tonumber(ARGV[6]) do
  call('ZREM', instances, ARGV[place])
  call('ZADD', dead, at(now + 4 * interval), ARGV[place])
  place = place + 1
end
local count = tonumber(ARGV[place])
for i = place + 1, place + count do call('SADD', channels, ARGV[i]) end
for i = place + count + 1, #ARGV do call('SREM', channels, ARGV[i]) end
for _, each in ipairs(call('ZRANGEBYSCORE', instances, '-inf', '(' .. at(now))) do
  call('ZREM', instances, each)
  call('ZADD', dead, 0, each)
end
local answer = { 1 }
for _, each in ipairs(call('ZRANGEBYSCORE', dead, '-inf', at(now), 'LIMIT', 0, 10)) do
  -- If we fail, another instance removes them.
  call('ZADD', dead, at(now + removal), each)
  answer[#answer + 1] = each
end
return answer
