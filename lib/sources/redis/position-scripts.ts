import { INDEX } from './own-ids.js';
import { redisScript } from './redis-script.js';
import { ANNOUNCE, TAIL_OR_BEGIN } from './stream-scripts.js';

/** A function that tells whether an entry holds the event with this id. */
const HOLDS_IT = `
local function numbersOf(text)
  local time, number = string.match(text, '^(%d+)%-(%d+)$')
  return tonumber(time), tonumber(number)
end
local function holdsIt(entry, id)
  if entry[1] == id then return true end
  if entry[2][1] ~= 'l' then return false end
  local time, number = numbersOf(id)
  local _, others = string.gsub(entry[2][2], ',', '')
  local lastTime, lastNumber = numbersOf(entry[1])
  return time == lastTime and number < lastNumber and number >= lastNumber - others
end
`;

/**
 * Finds the place of what a client has sent as its position, without reading an event.
 * KEYS: stream, its index. ARGV: the position if it is a stream id, its digest.
 * Answers: \`here\`, when it is there; \`own\` and a score, when a publisher gave it to an event;
 * else \`gone\` and the id of the oldest entry, if there is one.
 */
export const LOCATE = redisScript(`${HOLDS_IT}
local stream, id = KEYS[1], ARGV[1]
local entry = id ~= '' and redis.call('XRANGE', stream, id, '+', 'COUNT', 1)[1]
if entry and holdsIt(entry, id) then return {'here', ''} end
local score = redis.pcall('ZSCORE', KEYS[2], ARGV[2])
if type(score) == 'string' then return {'own', score} end
local first = id ~= '' and redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
return {'gone', first and first[1] or ''}
`);

/**
 * Finds out why an event that was appended before is no longer there. When it was not
 * trimmed, the server has lost it and maybe others: that is announced to everybody, by an
 * entry that is part of the channel like any other.
 *
 * KEYS: stream, its index. ARGV: the event's id, PUBLISH or SPUBLISH, for how many ms.
 * Answers: \`here\`, \`trimmed\` or \`lost\`, and the last entry's id, which with \`lost\` is the
 * announcement's.
 */
export const VERIFY = redisScript(`${TAIL_OR_BEGIN}${ANNOUNCE}${INDEX}${HOLDS_IT}
local stream, id = KEYS[1], ARGV[1]
local time, number = numbersOf(id)
local tail = lastId(stream, KEYS[2], ARGV[3])
keep(stream, ARGV[3])
if tail == id then return {'here', tail} end
local entry = call('XRANGE', stream, id, '+', 'COUNT', 1)[1]
if entry and holdsIt(entry, id) then return {'here', tail} end
local first = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if first and not (first[2][1] == 'm' and first[2][2] == 'o') then
  local firstTime, firstNumber = numbersOf(first[1])
  local isBefore = time < firstTime or (time == firstTime and number < firstNumber)
  if isBefore then return {'trimmed', tail} end
end
return {'lost', announce(ARGV[2], stream, 'failover', time)}
`);
