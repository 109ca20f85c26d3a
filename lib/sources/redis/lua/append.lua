-- Appends the events of one turn, of one or several channels.
--
-- KEYS: marker of the publishing instance, then each stream and its index.
-- ARGV: number of this call, PUBLISH or SPUBLISH, `RedisStreams.limits`, the number of a call for the
-- same stream that was answered before (0: none) and how many ms ago that was; then for each stream
-- the number, the lengths and the texts of its events, and the ids that their publishers gave them.
-- Answers for each stream the id of its first event, or `!` and an error: what one stream refuses does
-- not keep the others. When the server has lost the call that was answered before, readers are told
-- first, and the id of that announcement follows behind a blank.
--
-- The marker holds the number of the instance's last call and its answers, so that a call that is sent
-- again after a lost connection appends nothing. It is written then, too, as WAIT counts only what its
-- own connection wrote. Every call looks at it: what was sent on a lost connection may arrive after its
-- repetition.
local publish, age = ARGV[2], ARGV[4]
local maxEvents, maxBytes = tonumber(ARGV[3]), tonumber(ARGV[5])
--!include parts/append.lua
--!include parts/announce.lua
local marker, number = KEYS[1], tonumber(ARGV[1])
local before = call('GET', marker)
local last = before and tonumber(string.match(before, '^%d+')) or 0
if last == number then
  call('PEXPIRE', marker, MARKER_MS)
  local again = {}
  for answer in string.gmatch(string.match(before, ' (.*)'), '[^\n]+') do
    again[#again + 1] = answer
  end
  return again
end
if last > number then return redis.error_reply('SUPERSEDED a later call has been made') end
local announcement
if last < tonumber(ARGV[6]) then
  announcement = announce(publish, KEYS[2], 'failover', nowMs() - ARGV[7])
end
local answers = {}
for i = 1, (#KEYS - 1) / 2 do
  local key, at = i * 2, i * 4 + 4
  untold = nil
  local done, answer = pcall(append,
    KEYS[key], tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], KEYS[key + 1], ARGV[at + 3])
  if untold then
    answer = '!' .. untold
  elseif done then
    if announcement then answer = answer .. ' ' .. announcement end
  else
    -- Redis 6.2 throws text that begins with a place in the script.
    local text = type(answer) == 'table' and answer.err or answer
    answer = '!' .. string.gsub(text, '@user_script: ?%d+: ?', '')
  end
  answers[i] = answer
end
local noted = redis.pcall('SET', marker, ARGV[1] .. ' ' .. table.concat(answers, '\n'), 'PX', MARKER_MS)
if noted.err then
  -- An error of the whole call would say that nothing was appended.
  for i, answer in ipairs(answers) do
    if string.sub(answer, 1, 1) ~= '!' then answers[i] = '!' .. noted.err end
  end
end
return answers
