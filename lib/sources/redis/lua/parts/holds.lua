--!include stream.lua
-- Whether an entry holds the event with this id.
local function numbersOf(text)
  local time, number = string.match(text, '^(%d+)%-(%d+)$')
  return tonumber(time), tonumber(number)
end
local function holdsIt(entry, id)
  if entry[1] == id then return true end
  if entry[2][1] ~= LENGTHS then return false end
  local time, number = numbersOf(id)
  local _, others = string.gsub(entry[2][2], ',', '')
  local lastTime, lastNumber = numbersOf(entry[1])
  return time == lastTime and number < lastNumber and number >= lastNumber - others
end
