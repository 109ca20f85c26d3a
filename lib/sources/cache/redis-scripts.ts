import { redisScript } from '../redis/redis-script.js';
import { WAKE } from '../redis/redis-streams.js';
import { appendFunction } from '../redis/stream-scripts.js';

/**
 * Takes what waits and then the key itself, all in one step.
 * KEYS: key, waiting list. ARGV: how many at most.
 * Answers: waiting events, the key's own values, the key's type, whether there is more.
 */
export const TAKE = redisScript(`
local limit = tonumber(ARGV[1])
local kind = redis.call('TYPE', KEYS[1]).ok
local waiting = redis.call('LRANGE', KEYS[2], 0, limit - 1)
if #waiting > 0 then redis.call('LTRIM', KEYS[2], #waiting, -1) end
if #waiting == limit then return {waiting, {}, kind, 1} end
if kind == 'string' then return {waiting, {redis.call('GETDEL', KEYS[1])}, kind, 0} end
if kind ~= 'list' then return {waiting, {}, kind, 0} end
local values = redis.call('LRANGE', KEYS[1], 0, limit - 1)
redis.call('LTRIM', KEYS[1], #values, -1)
return {waiting, values, kind, redis.call('EXISTS', KEYS[1])}
`);

/**
 * Takes what waits and then the key itself, and appends it to the stream that the key's readers
 * on all instances follow, all in one step: whatever becomes of the reply, nothing is lost.
 * KEYS: key, waiting list, stream. ARGV: how many at most, PUBLISH or SPUBLISH, and
 * `RedisStreams.limits`.
 * Answers: how many were taken, the key's type, whether there is more.
 */
export const SHARE = redisScript(`${appendFunction(2)}
local limit = tonumber(ARGV[1])
local kind = call('TYPE', KEYS[1]).ok
local waiting = call('LRANGE', KEYS[2], 0, limit - 1)
local values = {}
if #waiting < limit then
  if kind == 'string' then values = {call('GET', KEYS[1])} end
  if kind == 'list' then values = call('LRANGE', KEYS[1], 0, limit - 1) end
end
-- JavaScript measures text in UTF-16 units: one for each character, two for those of four bytes.
local function lengthOf(text)
  local _, characters = string.gsub(text, '[^\\128-\\191]', '')
  local _, pairs = string.gsub(text, '[\\240-\\247]', '')
  return characters + pairs
end
local metas, texts = {}, {}
local function add(meta, data)
  metas[#metas + 1], texts[#texts + 1] = meta, data
end
local function addWaiting(text)
  if string.sub(text, 2, 2) == '=' then return add('', string.sub(text, 3)) end
  local event = cjson.decode(string.sub(text, 2))
  add(cjson.encode({t = event.type, i = event.id}), event.data)
end
local behind = #waiting
while behind > 0 and string.sub(waiting[behind], 1, 1) == '1' do behind = behind - 1 end
for i = 1, behind do addWaiting(waiting[i]) end
for _, value in ipairs(values) do add('', value) end
for i = behind + 1, #waiting do addWaiting(waiting[i]) end
if #texts > 1 and not string.find(table.concat(metas) .. table.concat(texts), '[\\128-\\255]') then
  local lengths = {}
  for i, data in ipairs(texts) do
    lengths[i] = (metas[i] ~= '' and #metas[i] .. '+' or '') .. #data
    texts[i] = metas[i] .. data
  end
  append(KEYS[3], #texts, table.concat(lengths, ','), table.concat(texts))
else
  -- What others write may be no text at all, whose length nobody knows: each for itself.
  for i, data in ipairs(texts) do
    local lengths = metas[i] ~= '' and lengthOf(metas[i]) .. '+' .. lengthOf(data) or ''
    append(KEYS[3], 1, lengths, metas[i] .. data)
  end
end
if #waiting > 0 then call('LTRIM', KEYS[2], #waiting, -1) end
if kind == 'string' and #values > 0 then call('DEL', KEYS[1]) end
if kind == 'list' and #values > 0 then call('LTRIM', KEYS[1], #values, -1) end
local more = #waiting == limit or (kind == 'list' and call('EXISTS', KEYS[1]) == 1)
return {#waiting + #values, kind, more and 1 or 0}
`);

/**
 * Moves what waits into the key, as its readers look at the key's value and leave it.
 * KEYS: key, waiting list. ARGV: how many at most.
 * Answers: waiting events, the key's value, whether there is more.
 */
export const SETTLE = redisScript(`
local waiting = redis.call('LRANGE', KEYS[2], 0, tonumber(ARGV[1]) - 1)
if #waiting == 0 then return {waiting, redis.call('GET', KEYS[1]), 0} end
local last = string.sub(waiting[#waiting], 2)
local data = string.sub(last, 1, 1) == '=' and string.sub(last, 2) or cjson.decode(last).data
redis.call('SET', KEYS[1], data, 'KEEPTTL')
redis.call('LTRIM', KEYS[2], #waiting, -1)
return {waiting, data, redis.call('EXISTS', KEYS[2])}
`);

/**
 * Lets events wait, and wakes those who poll the key. Answers how many: those beyond the limit
 * are left out.
 * KEYS: key, waiting list, the key's stream [, marker of this call].
 * ARGV: how many at most, time to wait in ms, PUBLISH or SPUBLISH or nothing, events.
 * A client that resends what was not acknowledged passes a marker, so that the events come once.
 */
export const PUSH = redisScript(`
if KEYS[4] then
  local before = redis.call('GET', KEYS[4])
  if before then return tonumber(before) end
end
local room = math.max(0, tonumber(ARGV[1]) - redis.call('LLEN', KEYS[2]))
local count = math.min(room, #ARGV - 3)
local flag = redis.call('EXISTS', KEYS[1])
for i = 4, count + 3 do redis.call('RPUSH', KEYS[2], flag .. ARGV[i]) end
if count > 0 then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
if KEYS[4] then redis.call('SET', KEYS[4], count, 'PX', 120000) end
if count > 0 and ARGV[3] ~= '' then redis.call(ARGV[3], KEYS[3], '${WAKE}') end
return count
`);

/** Puts events back before all others. KEYS: waiting list. ARGV: time to wait in ms, events, last first. */
export const GIVE_BACK = redisScript(`
for i = 2, #ARGV do redis.call('LPUSH', KEYS[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`);
