-- The ledger of ledger.py, kept in Redis: the same arithmetic, function by function, name by name.
-- What each of them is for stands there. All instants are whole microseconds of Redis' own clock.
--
-- KEYS[1]  the ledger
-- ARGV[1]  the message of a member, as JSON
-- returns  the ledger's time, the silence, the number of grants, the grants (token, wait), the places

local SECOND = 1000000
local GRACE = 5 * SECOND
local FIRST_PAUSE = SECOND
local LONGEST_PAUSE = 60 * SECOND
local SHORTEST_SILENCE = SECOND / 10
local STEP = SECOND
local FRESH = SECOND
local SOON = SECOND / 100

local ledger

local function remove_if(list, unwanted)
  local kept = {}
  for _, one in ipairs(list) do
    if not unwanted(one) then
      kept[#kept + 1] = one
    end
  end
  return kept
end

local function first(list, wanted)
  for place, one in ipairs(list) do
    if one == wanted then
      return place
    end
  end
end

local function last(list, wanted)
  for place = #list, 1, -1 do
    if list[place] == wanted then
      return place
    end
  end
end

-- The number of entries of an ordered list that are not above a bound.
local function up_to(list, bound)
  local low, high = 0, #list
  while low < high do
    local middle = math.floor((low + high) / 2)
    if list[middle + 1] <= bound then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function name_of(terms)
  return string.format('%d/%d', terms.tokens, terms.cooling)
end

local function longest(terms)
  local most = 0
  for _, one in ipairs(terms) do
    most = math.max(most, one.bucket and one.cooling * one.tokens or one.cooling)
  end
  return most
end

local function opens()
  return math.max(ledger.announced, ledger.pause > 0 and ledger.probe_at or 0)
end

local function no_probe(number, now)
  if number == ledger.probe then
    ledger.probe, ledger.probe_at = 0, now
  end
end

local function cool(arrived)
  table.insert(ledger.cooling, up_to(ledger.cooling, arrived) + 1, arrived)
  local buckets = {}
  for _, member in pairs(ledger.members) do
    for _, one in ipairs(member.terms) do
      if one.bucket then
        buckets[name_of(one)] = one.cooling
      end
    end
  end
  for name, cooling in pairs(buckets) do
    ledger.full[name] = math.max(ledger.full[name] or 0, arrived) + cooling
  end
end

local function lost(message)
  if message.seen == 0 or message.since > longest(message.terms) + GRACE then
    return false
  end
  return ledger.last < message.seen or (ledger.since > message.seen and ledger.emptied == 0)
end

local function empty(since, message)
  local terms = message.terms
  local start = since + math.max(0, message.lease - longest(terms))
  ledger.emptied = start
  ledger.keeps = math.max(ledger.keeps, longest(terms))
  local most = 0
  for _, one in ipairs(terms) do
    if one.bucket then
      ledger.full[name_of(one)] = start + one.tokens * one.cooling
    else
      most = math.max(most, one.tokens)
    end
  end
  for _ = 1, most do
    table.insert(ledger.cooling, start)
  end
  table.sort(ledger.cooling)
end

local function expires_in()
  local busy = math.max(ledger.last, ledger.announced, ledger.probe_at)
  for _, member in pairs(ledger.members) do
    busy = math.max(busy, member['until'])
  end
  for _, at in pairs(ledger.full) do
    busy = math.max(busy, at)
  end
  return busy - ledger.last + 2 * (ledger.keeps + GRACE)
end

local function time(clock, message)
  local now = math.max(clock + ledger.shift, ledger.last)
  local ahead = now - message.seen - message.since
  if ledger.since <= message.seen and ahead > STEP then
    now = math.max(ledger.last, now - ahead)
  end
  ledger.shift, ledger.last = now - clock, now
  return now
end

local function bury(name, gone)
  local good = ledger.members[name].spoke + FRESH
  ledger.held = remove_if(ledger.held, function(held)
    if held.member ~= name then
      return false
    end
    no_probe(held.number, gone)
    if held.told and held.go <= good then
      cool(gone + GRACE)
    end
    return true
  end)
  ledger.queue = remove_if(ledger.queue, function(one)
    return one == name
  end)
end

local function forget(now)
  local gone = {}
  for name, member in pairs(ledger.members) do
    if member['until'] <= now then
      gone[#gone + 1] = { name = name, at = member['until'] }
    end
  end
  table.sort(gone, function(one, other)
    return one.at < other.at or (one.at == other.at and one.name < other.name)
  end)
  for _, one in ipairs(gone) do
    bury(one.name, one.at)
  end
  for _, one in ipairs(gone) do
    ledger.members[one.name] = nil
  end
  local cooled = up_to(ledger.cooling, now - ledger.keeps)
  local warm = {}
  for place = cooled + 1, #ledger.cooling do
    warm[#warm + 1] = ledger.cooling[place]
  end
  ledger.cooling = warm
  for name, at in pairs(ledger.full) do
    if at <= now then
      ledger.full[name] = nil
    end
  end
end

local function greet(now, message)
  ledger.members[message.member] =
    { spoke = now, ['until'] = now + message.lease, back = now, terms = message.terms }
  ledger.keeps = math.max(ledger.keeps, longest(message.terms))
end

local function close(now, left, retry_after)
  if retry_after and retry_after >= SHORTEST_SILENCE then
    ledger.announced = math.max(ledger.announced, now + retry_after)
  elseif left >= ledger.closed then
    ledger.pause = math.min(math.max(FIRST_PAUSE, 2 * ledger.pause), LONGEST_PAUSE)
    ledger.closed, ledger.probe, ledger.probe_at = now, 0, now + ledger.pause
  end
end

local function finish(now, name, ended)
  ledger.held = remove_if(ledger.held, function(held)
    return held.member == name and held.number == ended.number
  end)
  if ended['end'] ~= 'unused' then
    cool(now - ended.ago + (ended['end'] == 'abandoned' and GRACE or 0))
  end
  no_probe(ended.number, now)
  if ended['end'] == 'throttled' then
    close(now, now - ended.left, ended.retry_after)
  elseif ended['end'] == 'answered' and now - ended.left >= ledger.closed then
    ledger.pause, ledger.probe = 0, 0
  end
end

local function set_of(numbers)
  local set = {}
  for _, number in ipairs(numbers) do
    set[number] = true
  end
  return set
end

local function hold(now, message)
  local known = {}
  for _, held in ipairs(ledger.held) do
    if held.member == message.member then
      known[held.number] = true
    end
  end
  for _, number in ipairs(message.out) do
    if not known[number] then
      table.insert(ledger.held, { number = number, member = message.member, go = now, told = true })
    end
  end
end

local function reserved(message)
  local out = set_of(message.out)
  local mine = {}
  for _, held in ipairs(ledger.held) do
    if held.member == message.member and not out[held.number] then
      mine[#mine + 1] = held
    end
  end
  table.sort(mine, function(one, other)
    return one.go < other.go or (one.go == other.go and one.number < other.number)
  end)
  return mine
end

local function fit(name, mine, need)
  local waiting = 0
  for _, one in ipairs(ledger.queue) do
    waiting = waiting + (one == name and 1 or 0)
  end
  local missing = need - #mine - waiting
  for _ = 1, missing do
    table.insert(ledger.queue, name)
  end
  for _ = 1, math.min(-missing, waiting) do
    table.remove(ledger.queue, last(ledger.queue, name))
  end
  for place = need + 1, #mine do
    table.remove(ledger.held, first(ledger.held, mine[place]))
    no_probe(mine[place].number, ledger.last)
  end
end

local function queue_up(message)
  for _, one in ipairs(reserved(message)) do
    one.go = math.max(one.go, ledger.announced)
    if ledger.pause > 0 and one.number ~= ledger.probe then
      table.remove(ledger.held, first(ledger.held, one))
      table.insert(ledger.queue, 1, message.member)
    end
  end
  fit(message.member, reserved(message), message.need)
end

local function later_than(now)
  local later = {}
  for _, held in ipairs(ledger.held) do
    if held.go > now then
      later[#later + 1] = held.go
    end
  end
  table.sort(later)
  return later
end

local function cooled(terms, room)
  if terms.bucket then
    return (ledger.full[name_of(terms)] or 0) - (room - 1) * terms.cooling
  end
  local warm = ledger.cooling[#ledger.cooling - room + 1]
  return warm and warm + terms.cooling or 0
end

local function after(terms, later)
  local gone = #ledger.held
  for place = #later, 1, -1 do
    local instant = cooled(terms, terms.tokens - gone)
    if instant > later[place] then
      return instant
    end
    gone = gone - 1
  end
  return cooled(terms, terms.tokens - gone)
end

local function instant_for(now, terms, later)
  local instant = now
  for _, one in ipairs(terms) do
    if #ledger.held >= one.tokens then
      return nil
    end
    instant = math.max(instant, after(one, later))
  end
  return instant
end

local function next_one(now, later)
  local tried = {}
  local unsure = ledger.emptied > 0 and now < ledger.emptied + ledger.keeps
  for _, name in ipairs(ledger.queue) do
    if not tried[name] then
      tried[name] = true
      local member = ledger.members[name]
      local instant = instant_for(now, member.terms, later)
      local known = instant and not (unsure and instant > now)
      if known and member.back <= math.max(instant, opens()) then
        return name, math.max(instant, opens())
      end
    end
  end
end

local function reserve(now)
  local later = later_than(now)
  while not (ledger.pause > 0 and ledger.probe > 0) do
    local name, go = next_one(now, later)
    if not name then
      return
    end
    table.remove(ledger.queue, first(ledger.queue, name))
    ledger.number = math.max(ledger.number, ledger.since) + 1
    table.insert(ledger.held, { number = ledger.number, member = name, go = go, told = false })
    if go > now then
      table.insert(later, up_to(later, go) + 1, go)
    end
    if ledger.pause > 0 then
      ledger.probe, ledger.probe_at = ledger.number, go + ledger.pause
    end
  end
end

local function bound(terms, free, place, now)
  local behind = place - math.max(0, terms.tokens - #free)
  if behind < 0 then
    return now
  end
  local round = #free > 0 and #free or terms.tokens
  local start = #free > 0 and free[behind % round + 1] or now
  return start + (math.floor(behind / round) + 1) * terms.cooling
end

local function places_of(now, message)
  local free = {}
  for _, held in ipairs(ledger.held) do
    free[#free + 1] = math.max(held.go, now)
  end
  table.sort(free)
  local soonest = math.max(opens(), now + SOON, instant_for(now, message.terms, later_than(now)) or 0)
  local places = {}
  for place, name in ipairs(ledger.queue) do
    if name == message.member then
      local at = soonest
      for _, one in ipairs(message.terms) do
        at = math.max(at, bound(one, free, place - 1, now))
      end
      places[#places + 1] = at - now
    end
  end
  return places
end

local function answer(now, message)
  local reply = { now, math.max(0, opens() - now), 0 }
  if message.leaves then
    bury(message.member, now)
    ledger.members[message.member] = nil
    return reply
  end
  local mine = reserved(message)
  reply[3] = #mine
  for _, one in ipairs(mine) do
    one.told = true
    reply[#reply + 1] = one.number
    reply[#reply + 1] = math.max(0, one.go - now)
  end
  local places = places_of(now, message)
  for _, wait in ipairs(places) do
    reply[#reply + 1] = wait
  end
  local third = math.floor(message.lease / 3)
  ledger.members[message.member].back = now + math.min(third, places[1] or third)
  return reply
end

-- How long this server has been running; nothing where it may not be asked.
local function uptime()
  local info = redis.pcall('INFO', 'server')
  local seconds = type(info) == 'string' and string.match(info, 'uptime_in_seconds:(%d+)')
  return seconds and tonumber(seconds) * SECOND
end

-- Where there is no ledger, a server that was started lately may have lost it.
local function begin(clock, message)
  ledger = {
    since = clock, last = clock, shift = 0, number = 0, keeps = 0, emptied = 0, cooling = {},
    full = {}, held = {}, queue = {}, members = {}, announced = 0, pause = 0, closed = 0,
    probe_at = 0, probe = 0,
  }
  local up = uptime()
  if up and up < math.max(longest(message.terms), message.lease) then
    empty(clock - up, message)
  end
end

local instant = redis.call('TIME')
local clock = instant[1] * SECOND + instant[2]
local message = cjson.decode(ARGV[1])
local stored = redis.call('GET', KEYS[1])
if stored then
  ledger = cmsgpack.unpack(stored)
else
  begin(clock, message)
end
local was_lost = lost(message)
local now = time(clock, message)
if was_lost then
  empty(now, message)
end
forget(now)
greet(now, message)
for _, ended in ipairs(message.ended) do
  finish(now, message.member, ended)
end
hold(now, message)
queue_up(message)
reserve(now)
local reply = answer(now, message)
redis.call('SET', KEYS[1], cmsgpack.pack(ledger), 'PX', math.ceil(expires_in() / 1000))
return reply
