-- Reads entries until there are enough of them, or a budget of bytes is spent. The first entry does not
-- count, as it is most often the one behind which the page begins.
-- KEYS: stream. ARGV: the first id and the last id, as in XRANGE; the most entries, and about the most
-- bytes. Answers: the entries, and 1 when there are no others.

-- The most entries of one XRANGE, as an entry may have any size.
local STEP = 16
local most, budget = tonumber(ARGV[3]), tonumber(ARGV[4])
local entries, bytes, from, step = {}, 0, ARGV[1], 2
repeat
  local count = math.min(step, most - #entries)
  local page = redis.call('XRANGE', KEYS[1], from, ARGV[2], 'COUNT', count)
  for _, entry in ipairs(page) do
    if #entries > 0 then
      for _, text in ipairs(entry[2]) do bytes = bytes + #text end
    end
    entries[#entries + 1] = entry
  end
  if #page < count then return {entries, 1} end
  from, step = '(' .. entries[#entries][1], math.min(STEP, step * 2)
until #entries >= most or bytes >= budget
return {entries, 0}
