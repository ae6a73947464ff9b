"""What Redis does in one step: scripts, each one round trip in which nothing else happens.

KEYS are pairs of a value and the lease for it, where nothing else is said. Numbers are doubles:
versions are exact up to 2**53, which a count of microseconds reaches in the year 2255.
"""

from caching.packing import FORMAT_MARK, HEADER_BYTES, TOMBSTONE_FLAG, VERSION_OFFSET

#: Of a header: its flags, and the moments that ``TOUCH`` moves.
FLAGS_OFFSET = VERSION_OFFSET - 1
EXPIRES_OFFSET = VERSION_OFFSET + 16

_BEGINNING = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- Larger than the last version, and than those of what expired, was evicted or was forgotten.
local function after(version)
  return math.max(version + 1, now)
end

-- The version and the header of what is held; what is no entry is as good as absent.
local function held(key)
  local header = redis.pcall('GETRANGE', key, 0, {HEADER_BYTES - 1})
  if type(header) == 'string' and #header == {HEADER_BYTES}
    and header:byte(1) == {FORMAT_MARK} then
    return struct.unpack('>i8', header, {VERSION_OFFSET + 1}), header
  end
  return 0, nil
end

local function is_tombstone(header)
  return header:byte({FLAGS_OFFSET + 1}) % {2 * TOMBSTONE_FLAG} >= {TOMBSTONE_FLAG}
end

local function is_fresh(header, seconds)
  return header ~= nil and not is_tombstone(header)
    and struct.unpack('>d', header, {EXPIRES_OFFSET + 1}) > tonumber(seconds)
end

local function number(key, version)
  redis.call('SETRANGE', key, {VERSION_OFFSET}, struct.pack('>i8', version))
end

-- Without milliseconds it is held for ever.
local function write(key, packed, milliseconds, version)
  if milliseconds == '' then
    redis.call('SET', key, packed)
  else
    redis.call('SET', key, packed, 'PX', milliseconds)
  end
  number(key, version)
end

local function publish(channel, message)
  if message ~= '' then
    redis.call('PUBLISH', channel, message)
  end
end
"""

#: ARGV: channel and message; expected version and token of the lease; then entry and life of each.
PUT = f"""{_BEGINNING}
local expected, token = ARGV[3], ARGV[4]
local versions = {{}}
for i = 1, #KEYS / 2 do
  local key, lease = KEYS[2 * i - 1], KEYS[2 * i]
  local version = held(key)
  if (expected ~= '' and tonumber(expected) ~= version)
    or (token ~= '' and redis.call('GET', lease) ~= token) then
    return {{0}}
  end
  versions[i] = after(version)
  write(key, ARGV[2 * i + 3], ARGV[2 * i + 4], versions[i])
end
publish(ARGV[1], ARGV[2])
return versions
"""

#: ARGV: channel and message; a tombstone and its life; then entry and life of each.
FOLLOW = f"""{_BEGINNING}
local followed = {{}}
for i = 1, #KEYS / 2 do
  local key, lease, packed = KEYS[2 * i - 1], KEYS[2 * i], ARGV[2 * i + 3]
  local version, last = struct.unpack('>i8', packed, {VERSION_OFFSET + 1}), held(key)
  local is_later = last < version
  if is_later then
    write(key, packed, ARGV[2 * i + 4], version)
  else
    write(key, ARGV[3], ARGV[4], last)
  end
  if not is_later or is_tombstone(packed) then
    redis.call('DEL', lease)
  end
  followed[i] = is_later and 1 or 0
end
publish(ARGV[1], ARGV[2])
return followed
"""

#: ARGV: a tombstone, its life, and the time. Returns 0 where nothing was fresh. All get one
#: version, but for what has a larger one. Without a life there is no tombstone.
DELETE = f"""{_BEGINNING}
local tombstone = ARGV[1]:sub(1, {VERSION_OFFSET}) .. struct.pack('>i8', now)
  .. ARGV[1]:sub({VERSION_OFFSET + 9})
local deleted, leases = {{}}, {{}}
for i = 1, #KEYS / 2 do
  local key = KEYS[2 * i - 1]
  local version, header = held(key)
  if ARGV[2] == '' then
    version = after(version)
    redis.call('UNLINK', key)
  elseif version < now then
    version = now
    redis.call('SET', key, tombstone, 'PX', ARGV[2])
  else
    version = after(version)
    write(key, ARGV[1], ARGV[2], version)
  end
  leases[i] = KEYS[2 * i]
  deleted[i] = is_fresh(header, ARGV[3]) and version or 0
end
redis.call('DEL', unpack(leases))
return deleted
"""

#: One step of a search, without KEYS: it removes what it finds, whose names go nowhere. ARGV: the
#: cursor, what names match, and how many are looked at. Returns the next cursor, and how many went.
REMOVE = """
local found = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
return {found[1], #found[2] > 0 and redis.call('UNLINK', unpack(found[2])) or 0}
"""

#: KEYS: one value. ARGV: the time, the packed moments, and how long it has to live.
TOUCH = f"""{_BEGINNING}
local version, header = held(KEYS[1])
if not is_fresh(header, ARGV[1]) then
  return 0
end
version = after(version)
number(KEYS[1], version)
redis.call('SETRANGE', KEYS[1], {EXPIRES_OFFSET}, ARGV[2])
if ARGV[3] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return version
"""

#: KEYS: a lease and the set of all keys that have one, by when they got it. ARGV: the key, the
#: token, the lease's life, and after how many microseconds its holder is forgotten.
ACQUIRE = f"""{_BEGINNING}
if not redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[3]) then
  return 0
end
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])
return 1
"""

#: KEYS: as above. ARGV: the key and the token.
RELEASE = """
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[2] then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
"""

#: KEYS: any. ARGV: milliseconds, then for each key what it must hold to end in so many.
EXPIRE = """
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[i + 1] then
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
"""

#: KEYS: tags.
BUMP_TAGS = f"""{_BEGINNING}
local versions = {{}}
for i, key in ipairs(KEYS) do
  versions[i] = after(math.abs(tonumber(redis.call('GET', key)) or 0))
  redis.call('SET', key, versions[i])
end
return versions
"""

#: KEYS: tags. ARGV: how long a copy and a doubt live, then the version of each. A negative version
#: is a doubt: it was that version when an earlier one came late, so neither is trusted.
FOLLOW_TAGS = """
for i, key in ipairs(KEYS) do
  local last, version = tonumber(redis.call('GET', key)) or 0, tonumber(ARGV[i + 2])
  if math.abs(last) < version then
    redis.call('SET', key, ARGV[i + 2], 'PX', ARGV[1])
  elseif last > version then
    redis.call('SET', key, -last, 'PX', ARGV[2])
  end
end
"""
