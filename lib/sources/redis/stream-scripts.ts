import { redisScript } from './redis-script.js';

/**
 * The last entry of the stream in KEYS[1]. A stream that does not exist is begun, so that
 * every position is an entry: a position that is not found tells of lost or trimmed entries.
 */
export const TAIL_OR_BEGIN = `
local function tailOrBegin(key)
  local tail = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  if tail then return tail[1], tonumber(tail[2][6]) or 0, tail[2][2] end
  return redis.call('XADD', key, '*', 'm', 'o', 'd', '', 'b', '0'), 0, 'o'
end
local function keep(key, age)
  if age ~= '0' then redis.call('PEXPIRE', key, age) end
end
local function trim(key, age, newest)
  if age ~= '0' then
    local oldest = tonumber(string.match(newest, '^%d+')) - tonumber(age)
    if oldest > 0 then redis.call('XTRIM', key, 'MINID', '~', string.format('%.0f', oldest)) end
  end
end
`;

/**
 * Appends the events of one turn and publishes them in one message.
 *
 * KEYS: stream, marker of the publishing instance.
 * ARGV: PUBLISH or SPUBLISH, number of this call, `again` when it may have been made before,
 * how many entries are kept, for how many ms (0: for ever), how many bytes (0: no limit),
 * lengths of the texts that follow, then for each event its meta and its data.
 * Answers: the id of the first event; the others follow it in the same millisecond.
 *
 * The marker holds the number of the instance's last call, so that a call that is sent again
 * after a lost connection appends nothing; it is written to then, as WAIT only knows what was
 * written on its own connection. The last entry of a call has a field `b` that counts
 * the bytes of the stream up to it: the size of what is retained is a difference of two numbers.
 * What need not be exact is done when that count passes a multiple of 4,096.
 */
export const APPEND = redisScript(`${TAIL_OR_BEGIN}
local call, argv, stream = redis.call, ARGV, KEYS[1]
if argv[3] == 'again' then
  local last, id = string.match(call('GET', KEYS[2]) or '0 ', '^(%d+) (.*)$')
  if tonumber(last) == tonumber(argv[2]) then
    call('PEXPIRE', KEYS[2], 600000)
    return id
  end
  if tonumber(last) > tonumber(argv[2]) then
    return redis.error_reply('SUPERSEDED a later call has been made')
  end
end
local previous, before = tailOrBegin(stream)
local count, bytes = #argv, before
for i = 8, count do bytes = bytes + #argv[i] end
local total = string.format('%.0f', bytes)
local first
if count == 9 then
  first = call('XADD', stream, 'MAXLEN', '~', argv[4], '*', 'm', argv[8], 'd', argv[9], 'b', total)
else
  first = call('XADD', stream, 'MAXLEN', '~', argv[4], '*', 'm', argv[8], 'd', argv[9])
  local time, number = string.match(first, '^(%d+%-)(%d+)$')
  for i = 10, count - 2, 2 do
    number = number + 1
    if argv[i] == '' then
      call('XADD', stream, time .. number, 'd', argv[i + 1])
    else
      call('XADD', stream, time .. number, 'm', argv[i], 'd', argv[i + 1])
    end
  end
  number = number + 1
  call('XADD', stream, 'MAXLEN', '~', argv[4], time .. number, 'm', argv[count - 1], 'd', argv[count], 'b', total)
end
if math.floor(before / 4096) ~= math.floor(bytes / 4096) then
  trim(stream, argv[5], first)
  local limit = tonumber(argv[6])
  if limit > 0 and math.floor(before * 16 / limit) ~= math.floor(bytes * 16 / limit) then
    local from = '-'
    repeat
      local page = call('XRANGE', stream, from, '+', 'COUNT', 16)
      local cut
      for _, old in ipairs(page) do
        from = '(' .. old[1]
        if old[2][6] and bytes - tonumber(old[2][6]) < limit then
          cut = old[1]
          break
        end
      end
      if cut then call('XTRIM', stream, 'MINID', cut) end
    until cut or #page < 16
  end
end
keep(stream, argv[5])
call(argv[1], stream, previous .. ' ' .. first .. ' ' .. argv[7] .. '\\n' .. table.concat(argv, '', 8))
call('SET', KEYS[2], argv[2] .. ' ' .. first, 'PX', 600000)
return first
`);

/**
 * Says where a stream ends, begins one that does not exist, and keeps it from expiring.
 * KEYS: stream. ARGV: for how many ms (0: for ever). Answers: the last entry's id.
 */
export const TAIL = redisScript(`${TAIL_OR_BEGIN}
local id = tailOrBegin(KEYS[1])
keep(KEYS[1], ARGV[1])
return id
`);

/**
 * Finds out why an entry that was appended before is no longer there. When it was not
 * trimmed, the server has lost it and maybe others: that is announced to everybody, by an
 * entry that is part of the channel like any other.
 *
 * KEYS: stream. ARGV: the entry's id, PUBLISH or SPUBLISH, for how many ms.
 * Answers: \`here\`, \`trimmed\` or \`lost\`, and the last entry's id, which with \`lost\` is the
 * announcement's.
 */
export const VERIFY = redisScript(`${TAIL_OR_BEGIN}
local stream, id = KEYS[1], ARGV[1]
local function isBefore(a, b)
  local aTime, aNumber = string.match(a, '^(%d+)%-(%d+)$')
  local bTime, bNumber = string.match(b, '^(%d+)%-(%d+)$')
  if aTime ~= bTime then return tonumber(aTime) < tonumber(bTime) end
  return tonumber(aNumber) < tonumber(bNumber)
end
local tail, bytes, meta = tailOrBegin(stream)
keep(stream, ARGV[3])
if #redis.call('XRANGE', stream, id, id) == 1 then return {'here', tail} end
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if isBefore(id, first[1]) and not (first[2][1] == 'm' and first[2][2] == 'o') then return {'trimmed', tail} end
if meta == 'x' then return {'lost', tail} end
local reset = redis.call('XADD', stream, '*', 'm', 'x', 'd', 'failover', 'b', string.format('%.0f', bytes))
redis.call(ARGV[2], stream, tail .. ' ' .. reset .. ' 1,8\\nxfailover')
return {'lost', reset}
`);
