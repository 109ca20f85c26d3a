-- Lets events wait, and wakes those who poll the key.
-- KEYS: marker, waiting list, key, the key's stream. ARGV: number of this call, PUBLISH or SPUBLISH,
-- how many may wait, for how many ms, the number of a call that was answered before (0: none), how
-- many ms ago that was, events.
-- Answers: the number of this call, a blank, and for each event 1, or 0 when too many wait. An L behind
-- that says that the server has lost the call that was answered before; readers have been told.
--!include ../../../redis/lua/parts/announce.lua
--!include ../../../redis/lua/parts/marker.lua
local waiting, key, stream = KEYS[2], KEYS[3], KEYS[4]
local room = ARGV[3] - call('LLEN', waiting)
local flag = call('EXISTS', key)
local answers, isWoken = {}, false
for i = 7, #ARGV do
  if room > 0 then
    call('RPUSH', waiting, flag .. ARGV[i])
    room, isWoken = room - 1, true
    answers[#answers + 1] = '1'
  else
    answers[#answers + 1] = '0'
  end
end
if last < tonumber(ARGV[5]) then
  announce(ARGV[2], stream, 'failover', nowMs() - ARGV[6])
  answers[#answers + 1] = 'L'
end
if isWoken then
  call('PEXPIRE', waiting, ARGV[4])
  tell(ARGV[2], stream, WAKE)
end
return done(table.concat(answers))
