-- Appends the events of one turn, of one or several channels.
--
-- KEYS: marker, then for each stream the stream, its index, and a record for each event with an
-- idempotency key. ARGV: as in numbered.lua, then `RedisStreams.limits`; then the heads, a line each; then
-- a text for each head. A head tells what its text holds:
--
--     <number of events> <their lengths> <the ids that their publishers gave them>
--     =<window> <lengths> <ids>   the stream's first event with an idempotency key
--     +<window> <lengths> <ids>   a further such event of the same stream
--
-- It is empty for one event that is data only. Events with keys have entries of their own, as an event that
-- is left out would leave a gap in the ids of an entry.
-- Answers for each stream the id of its first event, or `!` and an error: one stream's refusal does not
-- stop the others. For events with keys it answers an id each, separated by commas; an error behind them
-- is that of all further ones. When the server has lost the last call that it had answered, the script
-- announces that to readers first, and the announcement's id follows the first id behind a blank.
--!include parts/numbered.lua
local maxEvents, age, maxBytes = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
--!include parts/once.lua
local announcement = announceLoss(KEYS[2])
local answers = {}
local i, key, nextKey, text = 0, 0, 2, 8
local isRefused = false
local heads, headAt = ARGV[8], 1
-- What stands before the next blank or line end. A plain search, as the lengths of a burst are long.
local function upTo(mark)
  local from = headAt
  local found = string.find(heads, mark, from, true)
  headAt = found + 1
  return string.sub(heads, from, found - 1)
end
while headAt <= #heads do
  local count, lengths, owns, place, window = 1, '', ''
  if string.sub(heads, headAt, headAt) == '\n' then
    headAt = headAt + 1
  else
    count, lengths, owns = upTo(' '), upTo(' '), upTo('\n')
    place, window = string.match(count, '^([=+])(%d+)$')
    if place then count = 1 end
  end
  local isFurther = place == '+'
  if not isFurther then
    i, key, nextKey, isRefused = i + 1, nextKey, nextKey + 2, false
  end
  text = text + 1
  local record
  if window then record, nextKey = KEYS[nextKey], nextKey + 1 end
  if not isRefused then
    untold = nil
    local isDone, answer
    if record then
      isDone, answer = pcall(appendOnce,
        record, window, KEYS[key], 1, lengths, ARGV[text], KEYS[key + 1], owns)
    else
      isDone, answer = pcall(append,
        KEYS[key], tonumber(count), lengths, ARGV[text], KEYS[key + 1], owns)
    end
    isRefused = untold or not isDone
    if untold then
      answer = '!' .. untold
    elseif isDone then
      if announcement and not isFurther then answer = answer .. ' ' .. announcement end
    else
      answer = refusal(answer)
    end
    answers[i] = isFurther and answers[i] .. ',' .. answer or answer
  end
end
return done(answers)
