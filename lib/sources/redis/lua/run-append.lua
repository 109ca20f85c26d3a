-- Appends chunks to runs. Each append renews the lease of its run.
-- KEYS: for each run the key that names its channel's newest run, its record, its chunks. ARGV: PUBLISH or
-- SPUBLISH; for each run the number of the chunk before, 1 if the run ends, how many chunks follow, and these.
-- Answers for each run what has become of it, or `!` and an error: one run's refusal does not stop the others. If
-- the server has refused to publish chunks, which it has taken, why it did so follows.
--!include parts/run.lua
local now = nowMs()
local function append(runs, key, chunks, place)
  local run, after = recordOf(key), tonumber(ARGV[place])
  local first, last = place + 3, place + 2 + ARGV[place + 2]
  -- A replica that was promoted may lack chunks.
  if not run or after > run.head and not run.ended then return 'gone' end
  if run.ended then
    -- The call that has ended it may come again.
    return run.ended == BY_APPEND and after + 1 + last - first <= run.head and 'appended' or 'ended'
  end
  -- Nobody could stop a run that cannot be found, and a channel has one active run.
  if not isNewest(runs, run) then return 'gone' end
  -- An eviction may have taken the chunks. Only an append that adds some would find out by itself.
  if last < first and run.head > 0 and (callOwn('XLEN', chunks) or 0) == 0 then return 'gone' end
  local before = run.head
  if not addChunks(ARGV[1], run, chunks, after, first, last) then return 'gone' end
  run.ended = ARGV[place + 1] == '1' and BY_APPEND
  call('HSET', key, 'h', whole(run.head), 'u', whole(now + run.lease), 'e', run.ended or 0)
  -- Not with each append, as it takes four commands.
  if run.ended or before == 0 or now + run.lease + run.keeps + LEFT_MS > run.expiry then expire(runs, run, chunks, now) end
  return 'appended'
end
local answers, place = {}, 2
for i = 1, #KEYS / 3 do
  local isDone, answer = pcall(append, KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i], place)
  answers[i] = isDone and answer or refusal(answer)
  place = place + 3 + ARGV[place + 2]
end
answers[#answers + 1] = untold
return answers
