--!include stream.lua
-- The marker of a lane: the number and the answer of its last call. It tells whether a call was made
-- before, and whether the server still knows the calls that it has answered. Every call looks at it:
-- what was sent on a lost connection may arrive after its repetition. It is written then, too, as WAIT
-- counts only what its own connection wrote.
local number, marker = tonumber(ARGV[1]), KEYS[1]
local before = call('GET', marker) or ''
local last = tonumber(string.match(before, '^(%d+) ')) or 0
local function done(outcomes)
  local answer = ARGV[1] .. ' ' .. outcomes
  call('SET', marker, answer, 'PX', MARKER_MS)
  return {answer}
end
if last >= number then
  if last == number then
    call('PEXPIRE', marker, MARKER_MS)
    return {before}
  end
  return redis.error_reply('SUPERSEDED a later call has been made')
end
