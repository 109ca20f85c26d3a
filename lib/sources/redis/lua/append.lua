-- Appends the events of one turn, of one or several channels.
--
-- KEYS: marker, then each stream and its index. ARGV: as in numbered.lua, then `RedisStreams.limits`;
-- then for each stream the number, the lengths and the texts of its events, and the ids that their
-- publishers gave them.
-- Answers for each stream the id of its first event, or `!` and an error: one stream's refusal does not
-- stop the others. When the server has lost the last call that it had answered, the script announces
-- that to readers first, and the announcement's id follows behind a blank.
--!include parts/numbered.lua
local maxEvents, age, maxBytes = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
--!include parts/append.lua
local announcement = announceLoss(KEYS[2])
local answers = {}
for i = 1, (#KEYS - 1) / 2 do
  local key, at = i * 2, i * 4 + 4
  untold = nil
  local isDone, answer = pcall(append,
    KEYS[key], tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], KEYS[key + 1], ARGV[at + 3])
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
