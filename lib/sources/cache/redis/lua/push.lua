-- Adds events to those that wait for the key's readers, and wakes the instances that poll the key.
-- KEYS: marker, waiting list, key, the key's stream. ARGV: as in numbered.lua, then the most events that
-- wait, for how many ms, and the events.
-- Answers: for each event 1, or 0 when too many wait, and behind that an L when the server has lost the
-- last answered call and the script has announced that.
--!include ../../../redis/lua/parts/numbered.lua
local waiting, key, stream = KEYS[2], KEYS[3], KEYS[4]
local room = ARGV[5] - call('LLEN', waiting)
local flag = call('EXISTS', key)
local outcomes, isWoken = {}, false
for i = 7, #ARGV do
  if room > 0 then
    call('RPUSH', waiting, flag .. ARGV[i])
    room, isWoken = room - 1, true
    outcomes[#outcomes + 1] = '1'
  else
    outcomes[#outcomes + 1] = '0'
  end
end
if announceLoss(stream) then outcomes[#outcomes + 1] = 'L' end
if isWoken then
  call('PEXPIRE', waiting, ARGV[6])
  tell(publish, stream, WAKE)
end
return done({table.concat(outcomes)})
