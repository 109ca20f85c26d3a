import { createHash } from 'node:crypto';

/**
 * Beside a stream stands an index of the ids that publishers gave its events: a sorted set of
 * digests, whose scores are the places of the events in the order of the stream, so that it is
 * trimmed with the stream. Whether an id is known is thus one look, whatever the stream holds.
 *
 * A score is `(milliseconds - EPOCH) * NUMBERS + number`, exact as a double until 2093. Numbers
 * from the last one on share it; then the event is somewhere behind that place.
 */
export const EPOCH = 1_704_067_200_000;
export const NUMBERS = 4_096;

/** The key of a stream's index. It shares the stream's hash slot. */
export function indexKey(stream: string, prefix: string): string {
  return `${prefix}ids:${stream.slice(prefix.length)}`;
}

/** What stands in the index for an id: of the same size for each, and text that scripts know too. */
export function digestOf(id: string): string {
  return createHash('sha1').update(jsonOf(id)).digest('hex').slice(0, DIGEST_LENGTH);
}

/** How many characters a digest has. */
export const DIGEST_LENGTH = 16;

/** The id as JSON in ASCII, as which it stands among the events that wait beside a key. */
function jsonOf(id: string): string {
  return JSON.stringify(id).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The ids of a turn's events for the script that appends: the place of each, and its digest. */
export function ownIdsOf(events: readonly { readonly own?: string | undefined }[]): string {
  let text = '';
  events.forEach(({ own }, index) => {
    if (own !== undefined) {
      text += `${index}:${digestOf(own)},`;
    }
  });
  return text;
}

/** Where the event stands that the index has under this score, or from where on it is looked for. */
export function placeOf(score: number): { readonly id: string; readonly isExact: boolean } {
  const number = ((score % NUMBERS) + NUMBERS) % NUMBERS;
  const time = (score - number) / NUMBERS + EPOCH;
  return { id: `${time}-${number}`, isExact: number < NUMBERS - 1 };
}

/** The member of an index whose score is the place of the last large entry. It is no digest. */
const TAIL_MEMBER = 'tail';
/** An entry of more bytes than this is noted, so that whoever asks where the stream ends need not read it. */
const LARGE_BYTES = 16_384;

/** Functions that keep the index. They stand behind TAIL_OR_BEGIN. */
export const INDEX = `
local function scoreOf(time, number)
  local score = (time - ${EPOCH}) * ${NUMBERS} + math.min(number, ${NUMBERS - 1})
  return math.abs(score) < 9007199254740992 and string.format('%.0f', score)
end
-- A missing right must not refuse events that are in the stream already: their ids are not found.
local function noteIds(index, owns, first, age)
  local time, number = string.match(first, '^(%d+)%-(%d+)$')
  local pairs = {}
  for place, digest in string.gmatch(owns, '(%d+):(%x+)') do
    local score = scoreOf(time, number + place)
    if score then
      pairs[#pairs + 1] = score
      pairs[#pairs + 1] = digest
    end
  end
  if #pairs > 0 then
    redis.pcall('ZADD', index, 'NX', unpack(pairs))
    keep(index, age)
  end
end
local function trimIds(index, stream)
  if call('EXISTS', index) == 0 then return end
  local oldest = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local score = oldest and scoreOf(string.match(oldest[1], '^%d+'), 0)
  if score then redis.pcall('ZREMRANGEBYSCORE', index, '-inf', '(' .. score) end
end
local function noteTail(index, id, bytes, age)
  if bytes <= ${LARGE_BYTES} then return end
  local time, number = string.match(id, '^(%d+)%-(%d+)$')
  local score = tonumber(number) < ${NUMBERS - 1} and scoreOf(time, number)
  if score then
    redis.pcall('ZADD', index, score, '${TAIL_MEMBER}')
    keep(index, age)
  end
end
-- Where a stream ends. One that does not exist is begun.
local function lastId(stream, index, age)
  local score = redis.pcall('ZSCORE', index, '${TAIL_MEMBER}')
  if type(score) == 'string' then
    local number = tonumber(score) % ${NUMBERS}
    local id = string.format('%.0f-%.0f', (score - number) / ${NUMBERS} + ${EPOCH}, number)
    if call('EXISTS', stream) == 0 then
      redis.pcall('DEL', index)
    elseif #call('XRANGE', stream, '(' .. id, '+', 'COUNT', 1) == 0 then
      return id
    end
  end
  local id, _, _, _, _, fields = tailOrBegin(stream)
  local bytes = 0
  for _, text in ipairs(fields or {}) do bytes = bytes + #text end
  noteTail(index, id, bytes, age)
  return id
end
`;
