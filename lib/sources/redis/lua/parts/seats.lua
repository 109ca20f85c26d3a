-- Who is present in a channel: a hash, whose fields are clients, and whose values are their seats, one a
-- line. A client is its id as JSON, or empty for those without one. Beside it stand the clients with an id, in
-- order, and for each instance the clients for which it has a seat.
-- The field that counts all connections. It is no JSON.
local TOTAL = 'n'
-- In place of a number of connections: removes the seats of an instance.
local REMOVE = '-' --!export
local function membersKey(presence) return presence .. ':members' end
local function seatsKey(presence, instance) return presence .. ':of:' .. instance end
-- The instance, the number of connections, since when, whether events tell of it, and the info.
local function seatOf(seat) return string.match(seat, '^(%S+) (%d+) (%d+) ([01]) (.*)$') end
