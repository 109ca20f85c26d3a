-- Finds the place of the position that a client sent, without reading an event.
-- KEYS: stream, its index. ARGV: the position if it is a stream id, its digest.
-- Answers: `here` when an entry holds it; `own` and a score when a publisher gave it to an event; else
-- `gone` and the id of the oldest entry, if there is one.
--!include parts/holds.lua
local stream, id = KEYS[1], ARGV[1]
local entry = id ~= '' and call('XRANGE', stream, id, '+', 'COUNT', 1)[1]
if entry and holdsIt(entry, id) then return {'here', ''} end
local score = redis.pcall('ZSCORE', KEYS[2], ARGV[2])
if type(score) == 'string' then return {'own', score} end
local first = id ~= '' and call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
return {'gone', first and first[1] or ''}
