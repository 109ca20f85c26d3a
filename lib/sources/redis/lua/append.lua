-- Appends the events of one turn, of one or several channels.
--
-- KEYS: marker, then each stream and its index. ARGV: as in numbered.lua, then `RedisStreams.limits`;
-- then the heads, a line for each stream; then for each stream the texts of its events. A head has the
-- number and the lengths of the events, and the ids that their publishers gave them; it is empty for
-- one event that is data only.
-- Answers for each stream the id of its first event, or `!` and an error: one stream's refusal does not
-- stop the others. When the server has lost the last call that it had answered, the script announces
-- that to readers first, and the announcement's id follows behind a blank.
--!include parts/numbered.lua
local maxEvents, age, maxBytes = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
--!include parts/append.lua
local announcement = announceLoss(KEYS[2])
local answers = {}
local i = 0
for head in string.gmatch(ARGV[8], '([^\n]*)\n') do
  i = i + 1
  local key, count, lengths, owns = i * 2, 1, '', ''
  if head ~= '' then count, lengths, owns = string.match(head, '^(%d+) (%S*) (%S*)$') end
  untold = nil
  local isDone, answer = pcall(append,
    KEYS[key], tonumber(count), lengths, ARGV[i + 8], KEYS[key + 1], owns)
  if untold then
    answer = '!' .. untold
  elseif isDone then
    if announcement then answer = answer .. ' ' .. announcement end
  else
    -- Redis 6.2 throws text that begins with a place in the script.
    local text = type(answer) == 'table' and answer.err or answer
    answer = '!' .. string.gsub(text, '@user_script: ?%d+: ?', '')
  end
  answers[i] = answer
end
return done(answers)
