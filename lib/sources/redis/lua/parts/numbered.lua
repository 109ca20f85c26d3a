--!include marker.lua
-- The beginning of every numbered call: a repeated call does nothing, and gives the first answer again.
-- KEYS[1]: marker. ARGV: number of the call, PUBLISH or SPUBLISH, the number of the last answered call
-- with this marker (0: none), and how many ms ago that was.
--
-- Every call checks the marker, as a call on a lost connection may arrive after its repetition. A
-- repeated call renews the marker: WAIT counts only what its own connection wrote.
local marker, publish = KEYS[1], ARGV[2]
local last, lastAnswers = lastCall(marker)
if last == tonumber(ARGV[1]) then
  call('PEXPIRE', marker, MARKER_MS)
  local again = {}
  for answer in string.gmatch(lastAnswers, '[^\n]+') do again[#again + 1] = answer end
  return again
end
if last > tonumber(ARGV[1]) then return redis.error_reply('SUPERSEDED a later call has been made') end
-- Announces to readers that the server has lost the last answered call, if so. Answers the entry's id.
local function announceLoss(stream)
  if last < tonumber(ARGV[3]) then return announce(publish, stream, 'failover', nowMs() - ARGV[4]) end
end
-- Notes the answers of the call, one for each lane.
local function done(answers)
  local noted = noteCall(marker, table.concat(answers, '\n'))
  if noted.err then
    -- An error of the whole call would say that nothing was done.
    for i, answer in ipairs(answers) do
      if string.sub(answer, 1, 1) ~= '!' then answers[i] = '!' .. noted.err end
    end
  end
  return answers
end
