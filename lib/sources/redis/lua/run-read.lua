-- Reads chunks of a run until there are enough of them, or a budget of bytes is spent.
-- KEYS: the run's record, its chunks. ARGV: the number of the chunk before, the most chunks, and about the most
-- bytes. Answers the chunks, behind the number of the newest one; nothing when the run is gone, or lacks one of them.
--!include parts/run.lua
-- The most chunks of one XRANGE, as a chunk may have any size.
local STEP = 32
local run = recordOf(KEYS[1])
local after, most, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not run or after > run.head then return end
local chunks, bytes = { whole(run.head) }, 0
while #chunks <= most and bytes < budget and after < run.head do
  local page = callOwn('XRANGE', KEYS[2], '(' .. whole(after) .. '-0', '+', 'COUNT', math.min(STEP, most - #chunks + 1)) or {}
  for _, entry in ipairs(page) do
    after = after + 1
    if entry[1] ~= whole(after) .. '-0' then return end
    local text = entry[2][2]
    chunks[#chunks + 1] = text
    bytes = bytes + #text
  end
  if #page == 0 then return end
end
return chunks
