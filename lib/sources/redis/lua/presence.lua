-- Puts the seats of an instance into channels, and removes those of a dead one. Each change of a channel's
-- members and the events that tell of it are one step.
--
-- KEYS: marker, then for each channel its stream, its index and its presence. ARGV: as in numbered.lua,
-- then `RedisStreams.limits`; then for each channel the number of its changes, and each of them as
-- `seatChange()` or `removal()` writes it.
-- Answers for each channel the outcomes of its changes, separated by commas, or `!` and an error. An outcome
-- begins with the number of seats that a removal has removed. Letters follow: `o` when the channel is
-- occupied now, `v` when it is vacated, `e` when the instance has no seat there any more.
--!include parts/numbered.lua
local maxEvents, age, maxBytes = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
--!include parts/append.lua
--!include parts/seats.lua
local JOIN, LEAVE = '{"t":"sse:join","p":1}', '{"t":"sse:leave","p":1}'
local events, isChanged
-- The number of UTF-16 units, as lengths are counted in.
local function unitsIn(text)
  local _, more = string.gsub(text, '[\128-\191]', '')
  local _, pairs = string.gsub(text, '[\240-\247]', '')
  return #text - more + pairs
end
local function announce(meta, channel, client, info)
  local data = '{"channel":' .. channel .. ',"id":' .. client
  data = data .. (info == '' and '}' or ',"info":' .. info .. '}')
  events.texts[#events.texts + 1] = meta .. data
  events.lengths[#events.lengths + 1] = #meta .. '+' .. unitsIn(data)
end
-- Puts a seat in place of those that the instance has there, also under the names that it had before,
-- which stand between blanks.
local function put(presence, instance, formers, connections, since, channel, client, info)
  local before = call('HGET', presence, client) or ''
  local seats, place, change = {}, nil, connections
  local wasAnnounced, isAnnounced, lastInfo = false, false, ''
  for seat in string.gmatch(before, '[^\n]+') do
    local owner, count, _, announced, ownInfo = seatOf(seat)
    wasAnnounced, lastInfo = wasAnnounced or announced == '1', ownInfo
    if owner == instance or string.find(formers, ' ' .. owner .. ' ', 1, true) then
      change = change - count
      -- The newest connection stands last: its info is that of the client.
      place = connections <= tonumber(count) and info == ownInfo and #seats + 1
      call('SREM', seatsKey(presence, owner), client)
    else
      seats[#seats + 1], isAnnounced = seat, isAnnounced or announced == '1'
    end
  end
  if connections > 0 then
    local announced = channel == '' and '0' or '1'
    isAnnounced = isAnnounced or announced == '1'
    table.insert(seats, place or #seats + 1, table.concat({ instance, connections, since, announced, info }, ' '))
    call('SADD', seatsKey(presence, instance), client)
  end
  local after, outcome = table.concat(seats, '\n'), ''
  if after ~= before then
    isChanged = true
    if after == '' then
      call('HDEL', presence, client)
      call('ZREM', membersKey(presence), client)
    else
      call('HSET', presence, client, after)
      if before == '' and client ~= '' then call('ZADD', membersKey(presence), 0, client) end
    end
    local total = call('HINCRBY', presence, TOTAL, change)
    if total == 0 then
      call('DEL', presence)
      outcome = 'v'
    elseif total == change then
      outcome = 'o'
    end
    if client ~= '' and isAnnounced ~= wasAnnounced then
      announce(isAnnounced and JOIN or LEAVE, channel, client, isAnnounced and info or lastInfo)
    end
  end
  if connections == 0 and call('EXISTS', seatsKey(presence, instance)) == 0 then outcome = outcome .. 'e' end
  return outcome
end
-- Removes up to `most` seats of an instance.
local function remove(presence, instance, most, channel)
  local clients, outcome = call('SRANDMEMBER', seatsKey(presence, instance), most), ''
  for _, client in ipairs(clients) do
    outcome = put(presence, instance, '', 0, 0, channel, client, '')
    call('SREM', seatsKey(presence, instance), client)
  end
  return #clients .. outcome
end
local function change(stream, index, presence, from, to)
  events, isChanged = { texts = {}, lengths = {} }, false
  local outcomes, hasTail = {}, false
  for at = from, to do
    local instance, formers, count, since, channel, client, info =
      string.match(ARGV[at], '^(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
    if channel ~= '' and not hasTail then
      -- A stream that cannot take the events must fail before anything is changed.
      tailOrBegin(stream)
      hasTail = true
    end
    outcomes[#outcomes + 1] = count == REMOVE and remove(presence, instance, since, channel)
      or put(presence, instance, formers, tonumber(count), since, channel, client, info)
  end
  if #events.texts > 0 then
    append(stream, #events.texts, table.concat(events.lengths, ','), table.concat(events.texts), index, '')
  end
  if isChanged then redis.pcall(publish, presence, '') end
  return table.concat(outcomes, ',')
end
local answers, at = {}, 8
for i = 1, (#KEYS - 1) / 3 do
  local key, count = i * 3 - 1, tonumber(ARGV[at])
  local isDone, answer = pcall(change, KEYS[key], KEYS[key + 1], KEYS[key + 2], at + 1, at + count)
  if not isDone then answer = refusal(answer) end
  -- An empty line would be lost where answers are kept.
  answers[i] = answer == '' and ' ' or answer
  at = at + count + 1
end
return done(answers)
