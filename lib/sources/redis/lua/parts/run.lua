--!include stream.lua
-- The runs of a channel. A key names the newest one. Beside it stand for each run a hash, which is its record,
-- and a stream of its chunks, whose ids are `<number>-0`. Scripts get all three as KEYS: while a slot of a Cluster
-- moves, the server then answers TRYAGAIN, where a key would seem to be missing.
local function whole(number) return string.format('%.0f', number) end
-- Calls a command that changes nothing when it fails. Answers nothing where a key is of another type, or where an
-- entry stands behind the new one: another program has written there, and what a run had is lost.
local function callOwn(...)
  local answer = redis.pcall(...)
  local failed = type(answer) == 'table' and answer.err
  if not failed then return answer end
  if string.find(failed, 'WRONGTYPE', 1, true) or string.find(failed, 'equal or smaller', 1, true) then return end
  return call(...)
end
-- An active run without instances stays for so long beyond its lease and its time to keep.
local LEFT_MS = 60000
-- How a run has ended: by run-end.lua, or by its last append. Otherwise it is active.
local BY_END, BY_APPEND = '1', '2'
-- What the record holds: the number of the newest chunk, how the run has ended, the lease and the time to keep it
-- in ms, until when the lease lasts, when the keys expire, and the format.
local function recordOf(key)
  local fields = callOwn('HMGET', key, 'h', 'e', 'l', 'k', 'u', 'x', 'f') or {}
  local ended, format, numbers = fields[2], fields[7], {}
  for _, place in ipairs({ 1, 3, 4, 5, 6 }) do
    local number = tonumber(fields[place] or nil)
    if not number then return end
    numbers[place] = number
  end
  return {
    key = key, head = numbers[1], ended = ended ~= '0' and ended, lease = numbers[3], keeps = numbers[4],
    till = numbers[5], expiry = numbers[6], format = format,
  }
end
-- A record as callers get it.
local function told(id, run)
  return { id, run.format, whole(run.head), run.ended and 1 or 0, whole(run.till - nowMs()) }
end
-- Whether the channel's runs can still be found by the key that names this one. An eviction may have taken that
-- key, and another run may have begun since.
local function isNewest(runs, run)
  return runs .. ':' .. (callOwn('GET', runs) or '') == run.key
end
-- Has the keys of a run expire some time after its lease or, once it has ended, its time to keep it after now.
local function expire(runs, run, chunks, now)
  local ms = run.keeps
  if not run.ended then
    ms = ms + 2 * run.lease + LEFT_MS
    call('HSET', run.key, 'x', whole(now + ms))
  end
  for _, key in ipairs({ run.key, chunks, isNewest(runs, run) and runs or nil }) do call('PEXPIRE', key, whole(ms)) end
end
-- Adds the arguments from `first` to `last` as the chunks behind the number `after`, leaves out those that the
-- run has, and publishes the others. Changes `run.head`. Answers what it has published, and false if the earlier
-- chunks are not there.
local function addChunks(publish, run, chunks, after, first, last)
  local before = run.head
  local texts = {}
  for i = first + before - after, last do
    local id = whole(run.head + 1) .. '-0'
    -- An append must not begin the stream anew where an eviction has taken it.
    local isAdded
    if run.head == 0 then
      isAdded = callOwn('XADD', chunks, id, 'c', ARGV[i])
    else
      isAdded = callOwn('XADD', chunks, 'NOMKSTREAM', id, 'c', ARGV[i])
    end
    if not isAdded then return false end
    run.head = run.head + 1
    texts[#texts + 1] = ARGV[i]
  end
  local message = whole(before) .. ' ' .. table.concat(texts, ',')
  if #texts > 0 then tell(publish, chunks, message) end
  return message
end
