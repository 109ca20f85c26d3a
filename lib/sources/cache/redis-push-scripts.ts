import { redisScript } from '../redis/redis-script.js';
import { WAKE } from '../redis/redis-streams.js';
import { ANNOUNCE, TAIL_OR_BEGIN } from '../redis/stream-scripts.js';

/**
 * The marker of a lane: the answer to its last call, which begins with that one's number. It tells
 * whether a call was made before, and whether the server still knows the calls that it has
 * answered. Every call looks at it: what was sent on a connection that is lost may arrive after
 * its repetition. It is written to also then, as WAIT only knows what its own connection wrote.
 */
const MARKER = `
local call = redis.call
local number, marker = tonumber(ARGV[1]), KEYS[1]
local before = call('GET', marker) or ''
local last = tonumber(string.match(before, '^(%d+) ')) or 0
local function now()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function done(outcomes)
  local answer = ARGV[1] .. ' ' .. outcomes
  call('SET', marker, answer, 'PX', 600000)
  return {answer}
end
if last >= number then
  if last == number then
    call('PEXPIRE', marker, 600000)
    return {before}
  end
  return redis.error_reply('SUPERSEDED a later call has been made')
end
`;

/**
 * Lets events wait, and wakes those who poll the key.
 *
 * KEYS: marker, waiting list, key, the key's stream. ARGV: number of this call, PUBLISH or
 * SPUBLISH, how many may wait, for how many ms, the number of a call that was answered before
 * (0: none), how many ms ago that was, events.
 * Answers: the number of this call, a blank, and for each event 1, or 0 when too many wait. An L
 * behind that says that the server has lost the call that was answered before; readers have been told.
 */
export const PUSH = redisScript(`${TAIL_OR_BEGIN}${ANNOUNCE}${MARKER}
local waiting, key, stream = KEYS[2], KEYS[3], KEYS[4]
local room = ARGV[3] - call('LLEN', waiting)
local flag = call('EXISTS', key)
local answers, isWoken = {}, false
for i = 7, #ARGV do
  if room > 0 then
    call('RPUSH', waiting, flag .. ARGV[i])
    room, isWoken = room - 1, true
    answers[#answers + 1] = '1'
  else
    answers[#answers + 1] = '0'
  end
end
if last < tonumber(ARGV[5]) then
  announce(ARGV[2], stream, 'failover', now() - ARGV[6])
  answers[#answers + 1] = 'L'
end
if isWoken then
  call('PEXPIRE', waiting, ARGV[4])
  tell(ARGV[2], stream, '${WAKE}')
end
return done(table.concat(answers))
`);

/**
 * Sets a key, as any other writer would. KEYS: marker, any of the same slot, key.
 * ARGV: number of this call, PUBLISH or SPUBLISH, value.
 * Answers: the number of this call, and a blank.
 */
export const SET = redisScript(`${MARKER}
call('SET', KEYS[3], ARGV[3])
return done('')
`);

/**
 * Finds out whether the server still knows a call that it has answered. When it does not, it has
 * lost what the call had brought: that is announced to all readers.
 *
 * KEYS: marker, the key's stream. ARGV: number of the call, how many ms ago it was answered,
 * PUBLISH or SPUBLISH. Answers: 1 when it was lost.
 */
export const WAS_LOST = redisScript(`${TAIL_OR_BEGIN}${ANNOUNCE}
local last = string.match(call('GET', KEYS[1]) or '', '^(%d+) ')
if last and tonumber(last) >= tonumber(ARGV[1]) then return 0 end
local time = call('TIME')
announce(ARGV[3], KEYS[2], 'failover', time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[2])
-- Whoever asks next, or sends next, finds that readers have been told.
call('SET', KEYS[1], ARGV[1] .. ' ', 'PX', 600000)
return 1
`);
