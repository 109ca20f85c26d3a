import { INDEX } from './own-ids.js';
import { redisScript } from './redis-script.js';

/**
 * The last entry of a stream: its id, how many bytes and events the stream has had up to it, its
 * first field, its data, and all its fields. A stream that does not exist is begun, so that every position is an
 * entry: a position that is not found tells of lost or trimmed entries.
 */
export const TAIL_OR_BEGIN = `
local call = redis.call
-- A number up to which doubles are exact; anybody may have written the text.
local function numberOf(text)
  return text and #text < 16 and string.match(text, '^%d+$') and tonumber(text)
end
local function countsOf(entry)
  local fields = entry[2]
  if fields[5] == 'b' and fields[7] == 'n' then return numberOf(fields[6]), numberOf(fields[8]) end
end
local function tailOrBegin(stream)
  local tail = call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if not tail then
    return call('XADD', stream, '*', 'm', 'o', 'd', '', 'b', 0, 'n', 0), 0, 0, 'o', ''
  end
  local bytes, events = countsOf(tail)
  if not (bytes and events) then
    -- Somebody else has written it: the counts go on from the last entry of ours.
    for _, entry in ipairs(call('XREVRANGE', stream, '+', '-', 'COUNT', 100)) do
      bytes, events = countsOf(entry)
      if bytes and events then break end
    end
  end
  return tail[1], bytes or 0, events or 0, tail[2][2], tail[2][4], tail[2]
end
-- Why others could not be told, as without the right to publish. They find it by comparison:
-- an error would say that nothing was written, and it would be written again and again.
local untold
local function tell(publish, stream, text)
  local sent = redis.pcall(publish, stream, text)
  untold = type(sent) == 'table' and sent.err or untold
end
local function keep(stream, age)
  if age ~= '0' then call('PEXPIRE', stream, age) end
end
`;

/**
 * A function that announces to all readers of a stream that events may be missing, by an entry
 * that is part of the channel like any other. Answers its id. Where the last entry says the same
 * already, that one counts, unless it is older than `since`, in milliseconds since the epoch. It
 * stands behind TAIL_OR_BEGIN.
 */
export const ANNOUNCE = `
local function announce(publish, stream, reason, since)
  local tail, bytes, events, meta, data = tailOrBegin(stream)
  if meta == 'x' and data == reason and tonumber(string.match(tail, '^%d+')) >= since then return tail end
  local id = call('XADD', stream, '*', 'm', 'x', 'd', reason, 'b', bytes, 'n', events)
  tell(publish, stream, tail .. ' ' .. id .. ' 1+' .. #reason .. '\\nx' .. reason)
  return id
end
`;

/**
 * A function that appends events to a stream as one entry, publishes them in one message, and
 * answers the id of the first of them; the others follow it in the same millisecond. The entry has
 * the last one's id, so that the next entry's is greater than all of them.
 *
 * A single event without meta is the field `d` of an entry whose `m` is empty. Others have in `l`
 * what `lengthsOf` makes of them. `b` and `n` count the bytes and the events of the stream up to
 * the entry: what is retained is a difference of two such numbers. It need not be exact, so it is
 * looked at only when a count passes a multiple of some step.
 *
 * The ids that publishers gave are noted in the index, by `owns` as `ownIdsOf` makes it.
 *
 * @param at the first of four arguments: PUBLISH or SPUBLISH, and `RedisStreams.limits`
 */
export const appendFunction = (at: number): string => `${TAIL_OR_BEGIN}${INDEX}
local publish, age = ARGV[${at}], ARGV[${at + 2}]
local maxEvents, maxBytes = tonumber(ARGV[${at + 1}]), tonumber(ARGV[${at + 3}])
if maxBytes == 0 then maxBytes = math.huge end
local now
local function idsAfter(previous, count)
  if not now then
    local time = call('TIME')
    now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  end
  local time, number = string.match(previous, '^(%d+)%-(%d+)$')
  if tonumber(time) < tonumber(now) then
    time, number = now, -1
  elseif #number > 15 and #time < 16 then
    -- Somebody else has chosen it, and a double is not exact there.
    time, number = string.format('%.0f', time + 1), -1
  end
  local id = time .. '-%.0f'
  return string.format(id, number + 1), string.format(id, number + count)
end
local function passes(step, before, after)
  return math.floor(before / step) ~= math.floor(after / step)
end
local function trimAge(stream, newest)
  local oldest = tonumber(string.match(newest, '^%d+')) - tonumber(age)
  if oldest > 0 then call('XTRIM', stream, 'MINID', '~', string.format('%.0f', oldest)) end
end
local function trim(stream, bytes, events, most)
  local from = '-'
  repeat
    local page = call('XRANGE', stream, from, '+', 'COUNT', 4)
    local kept
    for _, entry in ipairs(page) do
      local b, n = countsOf(entry)
      -- Higher counts than the last are not of the same counting.
      local isCounted = b and n and b <= bytes and n <= events
      if isCounted and bytes - b < maxBytes and events - n < most then
        kept = entry[1]
        break
      end
      -- From here on it is trimmed to the limit.
      from, most = '(' .. entry[1], maxEvents
    end
    if kept and from ~= '-' then call('XTRIM', stream, 'MINID', kept) end
  until kept or #page < 4
end
local function append(stream, count, lengths, text, index, owns)
  local previous, bytesBefore, eventsBefore, meta = tailOrBegin(stream)
  -- An index that is there already is one of a stream that is gone.
  if meta == 'o' then call('DEL', index) end
  local bytes, events = bytesBefore + #text, eventsBefore + count
  local first, newest
  if lengths == '' then
    newest = call('XADD', stream, 'MAXLEN', '~', maxEvents, '*', 'm', '', 'd', text, 'b', bytes, 'n', events)
    first = newest
  else
    local function add(by, after)
      first, newest = idsAfter(after, count)
      return by('XADD', stream, 'MAXLEN', '~', maxEvents, newest, 'l', lengths, 'd', text, 'b', bytes, 'n', events)
    end
    if type(add(redis.pcall, previous)) == 'table' then
      -- The last entry was deleted, and ids go on behind it all the same: a mark shows where.
      add(call, call('XADD', stream, '*', 'm', '-', 'd', '', 'b', bytesBefore, 'n', eventsBefore))
    end
  end
  if passes(4096, bytesBefore, bytes) then
    if age ~= '0' then trimAge(stream, newest) end
    if passes(maxBytes / 16, bytesBefore, bytes) then trim(stream, bytes, events, maxEvents) end
  end
  if passes(math.max(16, maxEvents / 16), eventsBefore, events) then
    -- MAXLEN does it for entries of one event, a node of the stream at a time.
    trim(stream, bytes, events, maxEvents + math.max(128, maxEvents / 8))
  end
  keep(stream, age)
  if owns ~= '' then noteIds(index, owns, first, age) end
  noteTail(index, newest, #text, age)
  if passes(64, eventsBefore, events) then trimIds(index, stream) end
  tell(publish, stream, previous .. ' ' .. first .. ' ' .. lengths .. '\\n' .. text)
  return first
end
`;

/**
 * Appends the events of one turn, of one or several channels.
 *
 * KEYS: marker of the publishing instance, then each stream and its index.
 * ARGV: number of this call, PUBLISH or SPUBLISH, `RedisStreams.limits`, the number of a call
 * for the same stream that was answered before (0: none) and how many ms ago that was, then for
 * each stream the number, the lengths and the texts of its events, and the ids that their
 * publishers gave them. Answers for each stream the id of its first event, or `!` and an error:
 * what one stream refuses does not keep the others. When the server has lost the call that was
 * answered before, readers are told first, and the id of that announcement follows behind a blank.
 *
 * The marker holds the number of the instance's last call and its answers, so that a call that is
 * sent again after a lost connection appends nothing; it is written to then, as WAIT only knows
 * what was written on its own connection. Every call looks at it: what was sent on a connection
 * that is lost may arrive after its repetition.
 */
export const APPEND = redisScript(`${appendFunction(2)}${ANNOUNCE}
local marker, number = KEYS[1], tonumber(ARGV[1])
local before = call('GET', marker)
local last = before and tonumber(string.match(before, '^%d+')) or 0
if last == number then
  call('PEXPIRE', marker, 600000)
  local again = {}
  for answer in string.gmatch(string.match(before, ' (.*)'), '[^\\n]+') do again[#again + 1] = answer end
  return again
end
if last > number then return redis.error_reply('SUPERSEDED a later call has been made') end
local announcement
if last < tonumber(ARGV[6]) then
  local time = call('TIME')
  local since = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[7]
  announcement = announce(ARGV[2], KEYS[2], 'failover', since)
end
local answers = {}
for i = 1, (#KEYS - 1) / 2 do
  local key, at = i * 2, i * 4 + 4
  untold = nil
  local done, answer =
    pcall(append, KEYS[key], tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], KEYS[key + 1], ARGV[at + 3])
  if untold then
    answer = '!' .. untold
  elseif done then
    if announcement then answer = answer .. ' ' .. announcement end
  else
    -- Redis 6.2 throws text that begins with a place in the script.
    answer = '!' .. string.gsub(type(answer) == 'table' and answer.err or answer, '@user_script: ?%d+: ?', '')
  end
  answers[i] = answer
end
local noted = redis.pcall('SET', marker, ARGV[1] .. ' ' .. table.concat(answers, '\\n'), 'PX', 600000)
if noted.err then
  -- An error of the whole call would say that nothing was appended.
  for i, answer in ipairs(answers) do
    if string.sub(answer, 1, 1) ~= '!' then answers[i] = '!' .. noted.err end
  end
end
return answers
`);

/**
 * Says where a stream ends, begins one that does not exist, and keeps it from expiring. All open
 * streams are asked for at once, so a large last entry is not read each time.
 * KEYS: stream, its index. ARGV: for how many ms (0: for ever). Answers: the last entry's id.
 */
export const TAIL = redisScript(`${TAIL_OR_BEGIN}${INDEX}
local id = lastId(KEYS[1], KEYS[2], ARGV[1])
keep(KEYS[1], ARGV[1])
keep(KEYS[2], ARGV[1])
return id
`);
