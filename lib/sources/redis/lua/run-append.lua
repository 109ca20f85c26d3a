-- Appends chunks to runs. Each append renews the lease of its run.
-- KEYS: for each run the key that names its channel's newest run. ARGV: PUBLISH or SPUBLISH; for each run its
-- id, the number of the chunk before, how many chunks follow, and these.
-- Answers for each run what has become of it, or `!` and an error: one run's refusal does not stop the others.
--!include parts/run.lua
local function append(runs, place)
  local run, after, count = recordOf(recordKey(runs, ARGV[place])), tonumber(ARGV[place + 1]), tonumber(ARGV[place + 2])
  if not run then return 'gone' end
  if run.ended then return 'ended' end
  local before, now = run.head, nowMs()
  -- A replica that was promoted may lack chunks.
  if after > before or not addChunks(ARGV[1], run, after, place + 3, place + 2 + count) then return 'gone' end
  call('HSET', run.key, 'h', whole(run.head), 'u', whole(now + run.lease))
  if now + run.lease + run.keeps > run.expiry or before == 0 then
    -- Not with each append, as these are three more commands.
    local ms = 2 * run.lease + run.keeps
    call('HSET', run.key, 'x', whole(now + ms))
    expire(runs, run, ms)
  end
  return 'appended'
end
local answers, place = {}, 2
for i, runs in ipairs(KEYS) do
  local isDone, answer = pcall(append, runs, place)
  if not isDone then
    -- Redis 6.2 throws text that begins with a place in the script.
    local text = type(answer) == 'table' and answer.err or answer
    answer = '!' .. string.gsub(text, '@user_script: ?%d+: ?', '')
  end
  answers[i] = answer
  place = place + 3 + ARGV[place + 2]
end
return answers
