"""What Redis does by itself: changes that compare first, and the digest of a session."""

CHANGE = """
local lock = ARGV[1]
if lock ~= '' and redis.call('GET', KEYS[1]) ~= lock then return redis.error_reply('LOST') end
if lock ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
local worker = ARGV[6] == '1' and redis.call('GET', KEYS[3])
if worker and worker ~= ARGV[7] then return redis.error_reply('TAKEN') end
if ARGV[8] == '1' and not worker then return redis.error_reply('LOST') end
local whole, hash = ARGV[3] == '1', ARGV[4] == '1'
local units, at = tonumber(ARGV[5]), 9
local all, made = {}, {}
local function current(name)
  if hash then return redis.call('HGET', KEYS[2], name) end
  return redis.call('GET', name)
end
for u = 1, units do
  local count, good, unit = tonumber(ARGV[at]), true, {}
  at = at + 1
  for _ = 1, count do
    local name, had, before, has, after = ARGV[at], ARGV[at+1], ARGV[at+2], ARGV[at+3], ARGV[at+4]
    local expires = ARGV[at+5]
    at = at + 6
    local now = current(name)
    if had == '1' then good = good and now == before else good = good and not now end
    unit[#unit + 1] = {name, has, after, expires}
  end
  all[u] = unit
  made[u] = good and 1 or 0
end
if whole then
  for u = 1, units do if made[u] == 0 then
    for v = 1, units do made[v] = 0 end
    return made
  end end
end
for u = 1, units do if made[u] == 1 then
  for _, one in ipairs(all[u]) do
    if hash then
      if one[2] == '1' then redis.call('HSET', KEYS[2], one[1], one[3]) else redis.call('HDEL', KEYS[2], one[1]) end
    elseif one[2] == '1' then redis.call('SET', one[1], one[3], 'KEEPTTL')
    else redis.call('DEL', one[1]) end
    local key = hash and KEYS[2] or one[1]
    if one[2] == '1' and one[4] ~= '' and redis.call('PTTL', key) == -1 then
      redis.call('PEXPIREAT', key, one[4])
    end
  end
end end
return made
"""
"""Units of changes, each made where all its records are as they were; all or none of them where that is asked."""

STAMP = """
local found = {}
if ARGV[1] == '1' then
  if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[2]) then return false end
  local all = redis.call('HGETALL', KEYS[1])
  for at = 1, #all, 2 do found[#found + 1] = redis.sha1hex(all[at] .. '\\0' .. all[at + 1]) end
  table.sort(found)
else
  found = redis.call('MGET', unpack(KEYS))
  for at = 1, #found do found[at] = found[at] or '' end
end
for at = 1, #KEYS do
  found[#found + 1] = KEYS[at]
  local left = redis.call('PTTL', KEYS[at])
  found[#found + 1] = left < 0 and 'stays' or left < tonumber(ARGV[3]) and 'goes' or 'late'
end
return redis.sha1hex(table.concat(found, '\\0'))
"""
"""One digest of names, values and what lives for a time only; false for a session that is too large for it.

A hash by the digests of its records, in their order: Redis moves its fields about, while it grows and when it is looked
into. (A third less work than one text of all; what DUMP writes is as quick, and moves with the fields.)
"""
