"""What Redis does in one step for all workers: scripts, each one round trip.

Times are microseconds of Redis' own clock: those of the workers do not matter. The first of ARGV
is empty; tests put a moment there, to compare a script with what ``gcra`` and ``circuit`` say.
Numbers are doubles, which count microseconds exactly up to the year 2255.
"""

#: What nobody has touched for so long is forgotten; more than any pause or window.
LIFE_MS = 90_000_000

_BEGINNING = """
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000000 + time[2]
"""

#: Admit one call in all dimensions or in none (``gcra.Meter.admit`` is the same in Python).
#: KEYS: what is known of the limits, a hash; the slots in use with the ends of their leases.
#: ARGV: now; token, limit, life and usual wait of a slot, the token being empty where slots have
#: no limit; then name, cost, limit (0 for none), period and burst of each dimension.
#: Returns how long to wait, 0 for admitted, and for what.
ADMIT = f"""{_BEGINNING}
local token, slots = ARGV[2], tonumber(ARGV[3])
local state, fields = {{}}, redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  state[fields[i]] = tonumber(fields[i + 1])
end

local wait, reason = 0, ''
local function hold(moment, name)
  if moment - now > wait then
    wait, reason = moment - now, name
  end
end

hold(state['pause:paused'] or 0, 'pause')
local arrivals = {{}}
for i = 6, #ARGV, 5 do
  local name, cost, limit = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local period, burst = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  hold(state[name .. ':paused'] or 0, name)
  if limit > 0 then
    local learned = state[name .. ':limit']
    if learned and learned < limit and state[name .. ':limit_until'] > now then
      burst, limit = math.max(1, burst * learned / limit), learned
    end
    local interval = period / limit
    local arrival = math.max(state[name] or 0, now) + cost * interval
    hold(arrival - math.max(burst, cost) * interval, name)
    arrivals[#arrivals + 1] = name
    arrivals[#arrivals + 1] = arrival
  end
end
if token ~= '' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  if redis.call('ZCARD', KEYS[2]) >= slots then
    hold(now + tonumber(ARGV[5]), 'concurrency')
  end
end
if wait > 0 then
  return {{math.ceil(wait), reason}}
end

if #arrivals > 0 then
  redis.call('HSET', KEYS[1], unpack(arrivals))
  redis.call('PEXPIRE', KEYS[1], {LIFE_MS})
end
if token ~= '' then
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), token)
  redis.call('PEXPIRE', KEYS[2], {LIFE_MS})
end
return {{0, ''}}
"""

#: Note what a provider said (``gcra.Meter.note``). KEYS: what is known of the limits.
#: ARGV: now; then name, pause, limit (0 for none) of each dimension and how long that limit holds.
NOTE = f"""{_BEGINNING}
for i = 2, #ARGV, 4 do
  local paused, pause, limit = ARGV[i] .. ':paused', tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  if pause > 0 and now + pause > (tonumber(redis.call('HGET', KEYS[1], paused)) or 0) then
    redis.call('HSET', KEYS[1], paused, now + pause)
  end
  if limit > 0 then
    redis.call('HSET', KEYS[1], ARGV[i] .. ':limit', limit,
      ARGV[i] .. ':limit_until', now + tonumber(ARGV[i + 3]))
  end
end
redis.call('PEXPIRE', KEYS[1], {LIFE_MS})
"""

#: Let slots be held longer. KEYS: the slots. ARGV: now; how long; their tokens.
RENEW = f"""{_BEGINNING}
for i = 3, #ARGV do
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], {LIFE_MS})
"""

#: How many slots are held. KEYS: the slots. ARGV: now.
HELD = f"""{_BEGINNING}
return redis.call('ZCOUNT', KEYS[1], now, '+inf')
"""

#: Ask whether a provider may be asked (``circuit.Circuit.ask``). KEYS: a circuit.
#: ARGV: now; token, life of a probe, usual wait for one.
#: Returns how long to wait, 0 for none, and 1 when the caller is the probe.
ASK = f"""{_BEGINNING}
local known = redis.call('HMGET', KEYS[1], 'open_until', 'probe_until')
local open_until, probe_until = tonumber(known[1]) or 0, tonumber(known[2]) or 0
if open_until == 0 then
  return {{0, 0}}
elseif now < open_until then
  return {{math.ceil(open_until - now), 0}}
elseif now < probe_until then
  return {{math.ceil(math.min(probe_until - now, tonumber(ARGV[4]))), 0}}
end
redis.call('HSET', KEYS[1], 'probe', ARGV[2], 'probe_until', now + tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[1], {LIFE_MS})
return {{0, 1}}
"""

#: Tell how a call ended (``circuit.Circuit.report``). KEYS: a circuit.
#: ARGV: now; token; outcome; half a window; calls and failure rate that open; least and most
#: backoff. Returns what it became: 'opened', 'closed', or '' for what it was.
REPORT = f"""{_BEGINNING}
local outcome, half = ARGV[3], tonumber(ARGV[4])
local least, most = tonumber(ARGV[7]), tonumber(ARGV[8])

local function open(openings)
  local seconds = math.min(most, least * 2 ^ (openings - 1))
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'open_until', now + seconds, 'openings', openings)
  redis.call('PEXPIRE', KEYS[1], {LIFE_MS})
  return 'opened'
end

local known = redis.call('HMGET', KEYS[1], 'open_until', 'probe', 'openings',
  'bucket', 'calls', 'failures', 'calls_before', 'failures_before')
if known[1] then
  if ARGV[2] ~= known[2] then
    return ''
  elseif outcome == 'success' then
    redis.call('DEL', KEYS[1])
    return 'closed'
  elseif outcome == 'failure' then
    return open((tonumber(known[3]) or 0) + 1)
  end
  redis.call('HDEL', KEYS[1], 'probe', 'probe_until')
  return ''
end
if outcome == 'unknown' then
  return ''
end

local bucket, last = math.floor(now / half), tonumber(known[4]) or 0
local calls, failures = tonumber(known[5]) or 0, tonumber(known[6]) or 0
local calls_before, failures_before = tonumber(known[7]) or 0, tonumber(known[8]) or 0
if bucket ~= last then
  if bucket == last + 1 then
    calls_before, failures_before = calls, failures
  else
    calls_before, failures_before = 0, 0
  end
  calls, failures = 0, 0
end
calls = calls + 1
if outcome == 'failure' then
  failures = failures + 1
  local all = calls + calls_before
  if all >= tonumber(ARGV[5]) and failures + failures_before >= all * tonumber(ARGV[6]) then
    return open(1)
  end
end
redis.call('HSET', KEYS[1], 'bucket', bucket, 'calls', calls, 'failures', failures,
  'calls_before', calls_before, 'failures_before', failures_before)
redis.call('PEXPIRE', KEYS[1], {LIFE_MS})
return ''
"""

#: Open a circuit by hand (``circuit.Circuit.trip``). KEYS: a circuit. ARGV: now; how long.
TRIP = f"""{_BEGINNING}
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'open_until', now + tonumber(ARGV[2]), 'openings', 0)
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2]) / 1000) + {LIFE_MS})
"""
