-- The ledger of ledger.py, kept in Redis: the same arithmetic, function by function, name by name.
-- What each of them is for stands there. All instants are whole microseconds of Redis' own clock.
--
-- KEYS[1]  the ledger
-- ARGV[1]  the message of a member, as JSON
-- returns  the ledger's time, the silence, the burst and the interval that are kept, the number of
--          grants, the grants (token, wait), the places

local SECOND = 1000000
local GRACE = 5 * SECOND
local STEP = SECOND
local SOON = SECOND / 100
local INTERVALS = 2
local KEPT = 'kept'

-- quiet.py
local FIRST_PAUSE = SECOND
local LONGEST_PAUSE = 60 * SECOND
local SHORTEST_PAUSE = SECOND / 10
local LONGEST_SILENCE = 3600 * SECOND
local LONGER = 4
local FRESH = SECOND

-- turns.py
local IN_A_ROW = 4

-- lesson.py
local BURST_PART = 24
local FIRST_CUT = 0.5
local CUT = 0.89
local SOON_CUT = 0.85
local ANOTHER_SOON = 20
local SMALLEST_BURST = 2
local RECOVERY = 2000
local BURST_GROWTH = 3
local PATIENT = 2
local LONG_AGO = -1000000000

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

local function longest(terms)
  local most = 0
  for _, one in ipairs(terms) do
    most = math.max(most, one.bucket and one.cooling * one.tokens or one.cooling)
  end
  return most
end

local function insert_sorted(list, value)
  table.insert(list, up_to(list, value) + 1, value)
end

-- What 429s teach (lesson.py).

local function lesson_part(lesson, at)
  if lesson.cut_at == LONG_AGO then
    return FIRST_CUT
  end
  return at - lesson.cut_at < ANOTHER_SOON and SOON_CUT or CUT
end

local function lesson_cut(lesson, at)
  if lesson.to_cut then
    lesson.rate = lesson.rate * lesson_part(lesson, at)
    lesson.to_cut, lesson.cut_at = false, at
  end
end

local function lesson_first(at, rate, burst, silence)
  local lesson = {
    full_rate = rate, full_burst = burst, rate = rate, recovered = at, told = LONG_AGO,
    burst = math.min(burst, math.max(SMALLEST_BURST, burst / BURST_PART)), burst_at = LONG_AGO,
    cut_at = LONG_AGO, silent = true, to_cut = true,
  }
  if silence > PATIENT / rate then
    lesson_cut(lesson, at)
  end
  return lesson
end

local function lesson_recover(lesson, at)
  local grown = math.max(0, at - lesson.recovered) / RECOVERY
  lesson.recovered = at
  if grown > 0 and not lesson.silent then
    lesson.burst = math.min(lesson.full_burst, lesson.burst * math.exp(BURST_GROWTH * grown))
    lesson.rate = math.min(lesson.full_rate, lesson.rate + grown * lesson.full_rate)
  end
end

local function lesson_refused(lesson, at)
  if lesson.silent then
    lesson_cut(lesson, at)
    return
  end
  lesson_recover(lesson, at)
  lesson.silent, lesson.to_cut = true, true
  local by_burst = lesson.burst_at > at - lesson.burst / lesson.rate
    and at - lesson.told > ANOTHER_SOON
  lesson.told = at
  lesson.burst = math.min(lesson.burst, math.max(SMALLEST_BURST, lesson.burst / 2))
  if not by_burst then
    lesson_cut(lesson, at)
  end
end

-- The silence that 429s ask for (quiet.py).

local function opens()
  local quiet = ledger.quiet
  return math.max(quiet.announced, quiet.pause > 0 and quiet.probe_at or 0)
end

local function probing()
  return ledger.quiet.pause > 0 and ledger.quiet.probe > 0
end

local function next_pause(quiet, pause)
  if quiet.pause == 0 then
    return math.min(math.max(FIRST_PAUSE, pause), LONGEST_PAUSE)
  end
  local left = LONGEST_PAUSE - quiet.silence
  return math.min((LONGER - 1) * quiet.silence, left > 0 and left or LONGEST_PAUSE)
end

local function close(now, left, retry_after, pause, number)
  local quiet = ledger.quiet
  local news = left >= quiet.heard
  if retry_after and retry_after >= SHORTEST_PAUSE then
    quiet.announced = math.max(quiet.announced, now + math.min(retry_after, LONGEST_SILENCE))
  elseif news then
    quiet.pause = next_pause(quiet, pause)
    quiet.silence = quiet.silence + quiet.pause
    quiet.probe, quiet.probe_at = 0, now + quiet.pause
  end
  if news then
    quiet.heard, quiet.recalled = now + FRESH, number
  end
  return news
end

local function send_probe(number, go)
  if ledger.quiet.pause > 0 then
    ledger.quiet.probe, ledger.quiet.probe_at = number, go + ledger.quiet.pause
  end
end

local function withdraw(now, number)
  local quiet = ledger.quiet
  if number == quiet.probe then
    quiet.probe, quiet.probe_at = 0, math.max(now, quiet.probe_at - quiet.pause)
  end
end

local function hand_on(number, to)
  if number == ledger.quiet.probe then
    ledger.quiet.probe = to
  end
end

-- Whose turn it is (turns.py).

local function lane(bulk)
  return bulk and ledger.turns.bulk or ledger.turns.lookups
end

local function bulk_first()
  return ledger.turns.row >= IN_A_ROW
end

local function distinct(names)
  local seen, place = {}, 0
  return function()
    repeat
      place = place + 1
    until not seen[names[place]]
    local name = names[place]
    if name then
      seen[name] = true
    end
    return name
  end
end

local function serve(name, bulk)
  local turns = ledger.turns
  table.remove(lane(bulk), first(lane(bulk), name))
  if not bulk then
    turns.row = #turns.bulk > 0 and math.min(turns.row + 1, IN_A_ROW) or 0
  elseif #turns.lookups > 0 then
    turns.row = 0
  end
  return bulk and #turns.lookups > 0
end

local function fit_turns(name, count, bulk)
  local waiting = 0
  local stay = remove_if(lane(bulk), function(one)
    waiting = waiting + (one == name and 1 or 0)
    return one == name and waiting > count
  end)
  for _ = waiting + 1, count do
    table.insert(stay, name)
  end
  ledger.turns[bulk and 'bulk' or 'lookups'] = stay
end

local function places_in_turns(name)
  local turns, found = ledger.turns, {}
  for place, one in ipairs(turns.lookups) do
    if one == name then
      local between = math.floor((turns.row + place - 1) / IN_A_ROW)
      found[#found + 1] = place - 1 + math.min(#turns.bulk, between)
    end
  end
  for place, one in ipairs(turns.bulk) do
    if one == name then
      found[#found + 1] = place - 1 + math.min(#turns.lookups, place * IN_A_ROW - turns.row)
    end
  end
  return found
end

-- The ledger.

local function cool(arrived)
  insert_sorted(ledger.cooling, arrived)
  local buckets = {}
  for _, member in pairs(ledger.members) do
    for _, one in ipairs(member.terms) do
      if one.bucket then
        buckets[one.name] = one.cooling
      end
    end
  end
  for name, cooling in pairs(buckets) do
    ledger.full[name] = math.max(ledger.full[name] or 0, arrived) + cooling
  end
end

local function said_by(message)
  local known = ledger.members[message.member]
  return known and known.said or 0
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
      ledger.full[one.name] = start + one.tokens * one.cooling
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
  local busy = math.max(ledger.last, ledger.quiet.announced, ledger.quiet.probe_at)
  for _, member in pairs(ledger.members) do
    busy = math.max(busy, member['until'])
  end
  for _, at in pairs(ledger.full) do
    busy = math.max(busy, at)
  end
  local taught = ledger.lesson and RECOVERY * SECOND or 0
  return math.max(busy - ledger.last + 2 * (ledger.keeps + GRACE), taught)
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
    withdraw(gone, held.number)
    if held.told and held.go <= good then
      cool(gone + GRACE)
    end
    return true
  end)
  fit_turns(name, 0, false)
  fit_turns(name, 0, true)
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
  ledger.refused = remove_if(ledger.refused, function(arrived)
    return arrived <= now - ledger.keeps
  end)
  for name, at in pairs(ledger.full) do
    if at <= now - ledger.keeps then
      ledger.full[name] = nil
    end
  end
end

local function greet(now, message)
  ledger.members[message.member] = {
    spoke = now, ['until'] = now + message.lease, back = now, terms = message.terms,
    said = message.serial,
  }
  ledger.keeps = math.max(ledger.keeps, longest(message.terms))
end

local function kept()
  local lesson = ledger.lesson
  return lesson and {
    tokens = math.floor(lesson.burst), cooling = math.ceil(SECOND / lesson.rate), bucket = true,
    name = KEPT,
  }
end

local function agreeing(terms)
  local all = { kept() }
  for _, one in ipairs(terms) do
    all[#all + 1] = one
  end
  return all
end

local function adjust(now, old)
  local new = kept()
  if not (old and new) then
    return
  end
  local owed = math.max(0, (ledger.full[KEPT] or 0) - now) / old.cooling
  if owed > 0 then
    owed = math.max(0, owed + new.tokens - old.tokens)
    ledger.full[KEPT] = now + math.floor(owed * new.cooling)
  end
end

local function recover(now)
  local lesson, before = ledger.lesson, kept()
  if not lesson then
    return
  end
  lesson_recover(lesson, now / SECOND)
  if lesson.rate == lesson.full_rate and lesson.burst == lesson.full_burst then
    ledger.lesson, ledger.full[KEPT] = nil, nil
  end
  adjust(now, before)
end

local function allowed(terms)
  local rate, burst = math.huge, math.huge
  for _, one in ipairs(terms) do
    rate = math.min(rate, (one.bucket and 1 or one.tokens) * SECOND / one.cooling)
    burst = math.min(burst, one.tokens)
  end
  return rate, burst
end

local function learn(now, rate, burst, silence)
  local at, before = now / SECOND, kept()
  if ledger.lesson then
    lesson_refused(ledger.lesson, at)
  else
    ledger.lesson = lesson_first(at, rate, burst, silence)
  end
  adjust(now, before)
end

local function refuse(now, terms, ended)
  local rate, burst = allowed(terms)
  local pause = INTERVALS * math.ceil(SECOND / (ledger.lesson and ledger.lesson.rate or rate))
  local number = math.max(ledger.number, ledger.since)
  if close(now, now - ended.left, ended.retry_after, pause, number) then
    learn(now, rate, burst, (ended.retry_after or 0) / SECOND)
  else
    cool(now - ended.ago)
    table.insert(ledger.refused, now - ended.ago)
  end
  local one = kept()
  if one then
    ledger.full[KEPT] = math.max(ledger.full[KEPT] or 0, now + one.tokens * one.cooling)
  end
end

local function forgive()
  for _, arrived in ipairs(ledger.refused) do
    local place = up_to(ledger.cooling, arrived)
    if ledger.cooling[place] == arrived then
      table.remove(ledger.cooling, place)
    end
  end
  ledger.refused = {}
end

local function go_on(arrived, passed)
  local one, lesson = kept(), ledger.lesson
  if one then
    ledger.full[KEPT] = math.max(ledger.full[KEPT] or 0, arrived) + one.cooling
  end
  if passed then
    ledger.quiet.pause, ledger.quiet.silence, ledger.quiet.probe = 0, 0, 0
    if lesson and lesson.silent then
      lesson.silent = false
      forgive()
    end
  end
end

local function let_go(name, these)
  local numbers = {}
  for _, one in ipairs(these) do
    numbers[one.number] = true
  end
  ledger.held = remove_if(ledger.held, function(held)
    return held.member == name and numbers[held.number]
  end)
end

local function finish(now, message, ended)
  withdraw(now, ended.number)
  local left, arrived = now - ended.left, now - ended.ago
  if ended['end'] == 'throttled' then
    refuse(now, message.terms, ended)
  elseif ended['end'] ~= 'unused' then
    cool(arrived + (ended['end'] == 'abandoned' and GRACE or 0))
    if left >= ledger.quiet.heard then
      go_on(arrived, ended['end'] == 'answered')
    end
  end
end

local function by_instant(one, other)
  return one.go < other.go or (one.go == other.go and one.number < other.number)
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
      table.insert(ledger.held, {
        number = number, member = message.member, go = now, told = true, bulk = false, stays = false,
      })
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
  table.sort(mine, by_instant)
  return mine
end

local function fit(name, mine, count, bulk)
  local gone = {}
  for place = count + 1, #mine do
    gone[#gone + 1] = mine[place]
  end
  let_go(name, gone)
  for _, one in ipairs(gone) do
    withdraw(ledger.last, one.number)
  end
  fit_turns(name, math.max(0, count - #mine), bulk)
end

local function queue_up(message)
  local mine, recalled = { [false] = {}, [true] = {} }, {}
  for _, one in ipairs(reserved(message)) do
    if one.number <= ledger.quiet.recalled then
      recalled[#recalled + 1] = one
      withdraw(ledger.last, one.number)
      table.insert(lane(one.bulk), 1, message.member)
    else
      one.go = math.max(one.go, ledger.quiet.announced)
      table.insert(mine[one.bulk], one)
    end
  end
  let_go(message.member, recalled)
  fit(message.member, mine[false], message.lookups, false)
  fit(message.member, mine[true], message.bulk, true)
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
    return (ledger.full[terms.name] or 0) - (room - 1) * terms.cooling
  end
  local warm = ledger.cooling[#ledger.cooling - room + 1]
  return warm and warm + terms.cooling or 0
end

local function after(terms, later)
  local before = #later
  while true do
    local gone = #ledger.held - #later + before
    local instant = cooled(terms, terms.tokens - gone)
    if before == 0 or instant > later[before] then
      return instant
    end
    before = math.min(before, up_to(later, instant - 1))
  end
end

local function instant_for(now, terms, later)
  local instant = now
  for _, one in ipairs(agreeing(terms)) do
    if #ledger.held >= one.tokens then
      return nil
    end
    instant = math.max(instant, after(one, later))
  end
  return instant
end

local function next_one(now, later)
  local unsure = ledger.emptied > 0 and now < ledger.emptied + ledger.keeps
  for _, bulk in ipairs({ bulk_first(), not bulk_first() }) do
    for name in distinct(lane(bulk)) do
      local member = ledger.members[name]
      local instant = instant_for(now, member.terms, later)
      local known = instant and not (unsure and instant > now)
      if known and member.back <= math.max(instant, opens()) then
        return name, bulk, math.max(instant, opens())
      end
    end
  end
end

local function new_number()
  ledger.number = math.max(ledger.number, ledger.since) + 1
  return ledger.number
end

local function look_for_bursts(go, later)
  if ledger.lesson then
    local another = instant_for(0, {}, later)
    if another and another <= go then
      ledger.lesson.burst_at = go / SECOND
    end
  end
end

local function is_firm(held)
  return held.told and held.go <= ledger.members[held.member].spoke + FRESH
end

local function loose()
  local found = {}
  for _, held in ipairs(ledger.held) do
    if held.bulk and not held.stays and not is_firm(held) then
      found[#found + 1] = held
    end
  end
  table.sort(found, by_instant)
  return found
end

local function sooner(now, later, go)
  for name in distinct(ledger.turns.lookups) do
    local member = ledger.members[name]
    local instant = instant_for(now, member.terms, later)
    if member.back <= go and not (instant and instant <= go) then
      return name
    end
  end
end

local function prefer_lookups(now, later)
  if #ledger.turns.lookups == 0 then
    return
  end
  for _, held in ipairs(loose()) do
    local name = not bulk_first() and sooner(now, later, held.go)
    if bulk_first() then
      held.stays, ledger.turns.row = true, 0
    elseif name then
      table.insert(ledger.turns.bulk, 1, held.member)
      serve(name, false)
      local number = new_number()
      hand_on(held.number, number)
      held.number, held.member, held.told, held.bulk = number, name, false, false
    end
  end
end

local function reserve(now)
  local later = later_than(now)
  prefer_lookups(now, later)
  while not probing() do
    local name, bulk, go = next_one(now, later)
    if not name then
      return
    end
    local stays = serve(name, bulk)
    table.insert(ledger.held, {
      number = new_number(), member = name, go = go, told = false, bulk = bulk, stays = stays,
    })
    look_for_bursts(go, later)
    if go > now then
      insert_sorted(later, go)
    end
    send_probe(ledger.number, go)
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
  for _, place in ipairs(places_in_turns(message.member)) do
    local at = soonest
    for _, one in ipairs(agreeing(message.terms)) do
      at = math.max(at, bound(one, free, place, now))
    end
    places[#places + 1] = at - now
  end
  table.sort(places)
  return places
end

local function answer(now, message)
  local one = kept() or { tokens = 0, cooling = 0 }
  local reply = { now, math.max(0, opens() - now), one.tokens, one.cooling, 0 }
  if message.leaves then
    bury(message.member, now)
    ledger.members[message.member] = nil
    return reply
  end
  local mine = reserved(message)
  reply[5] = #mine
  for _, held in ipairs(mine) do
    held.told = true
    reply[#reply + 1] = held.number
    reply[#reply + 1] = math.max(0, held.go - now)
  end
  local places = places_of(now, message)
  for _, wait in ipairs(places) do
    reply[#reply + 1] = wait
  end
  local third = math.floor(message.lease / 3)
  ledger.members[message.member].back = now + math.min(third, places[1] or third)
  return reply
end

-- How long this server has certainly been running; nothing where it may not be asked. It tells
-- the difference of two instants that were cut to whole seconds, which may be almost one too many.
local function uptime()
  local info = redis.pcall('INFO', 'server')
  local seconds = type(info) == 'string' and string.match(info, 'uptime_in_seconds:(%d+)')
  return seconds and math.max(0, tonumber(seconds) - 1) * SECOND
end

-- Where there is no ledger, a server that was started lately may have lost it.
local function begin(clock, message)
  ledger = {
    since = clock, last = clock, shift = 0, number = 0, keeps = 0, emptied = 0, cooling = {},
    full = {}, held = {}, members = {}, refused = {}, turns = { lookups = {}, bulk = {}, row = 0 },
    quiet = {
      announced = 0, pause = 0, silence = 0, heard = 0, recalled = 0, probe_at = 0, probe = 0,
    },
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
local said = said_by(message)
if message.serial < said then
  return { ledger.last, 0, 0, 0, 0 }
end
local was_lost = lost(message)
local now = time(clock, message)
if was_lost then
  empty(now, message)
end
forget(now)
greet(now, message)
recover(now)
let_go(message.member, message.ended)
for _, ended in ipairs(message.ended) do
  if ended.after >= said then
    finish(now, message, ended)
  end
end
hold(now, message)
queue_up(message)
reserve(now)
local reply = answer(now, message)
redis.call('SET', KEYS[1], cmsgpack.pack(ledger), 'PX', math.ceil(expires_in() / 1000))
return reply
