"""What must happen to an order's record in one step, as Lua. Redis loads a script again by itself after losing it."""

from __future__ import annotations

from typing import Final

_LEADS: Final = """
-- Whether another worker leads than the one of this name: it knows better.
local function fenced(lease, worker)
  local leader = redis.call('GET', lease)
  return leader and string.sub(leader, 1, #worker + 1) ~= worker .. ':'
end
"""

BEGIN: Final = """
-- KEYS order, history, lease, sentinel, open, unknown, like, audit due, at its place
-- ARGV holder, sentinel, deadline ms, fingerprint, attempt, key, account and contract, duplicate window ms,
--      key it may repeat, prefix of order keys, event, event where held, keep ms, least count,
--      then fields and values
local stage = redis.call('HGET', KEYS[1], 'stage')
local known = redis.call('HGET', KEYS[1], 'fingerprint')
if known and known ~= ARGV[4] then return {'OTHER', ''} end
if stage and stage ~= 'QUEUED' and stage ~= 'HELD' then
  if stage == 'SENDING' and redis.call('HGET', KEYS[1], 'attempt') == ARGV[5] then return {'NEW', ''} end
  return {'SAME', ''}
end
if redis.call('HGET', KEYS[1], 'closed') == ARGV[5] then return {'CLOSED', ''} end
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return {'NOT_LEADER', ''} end
if redis.call('HGET', KEYS[4], 'id') ~= ARGV[2] then return {'WIPED', ''} end
if tonumber(redis.call('HGET', KEYS[4], 'begun') or 0) < tonumber(ARGV[14]) then return {'WIPED', ''} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now >= tonumber(ARGV[3]) then return {'LATE', ''} end
local outcome, first = 'NEW', ''
local unknown = redis.call('HGETALL', KEYS[6])
for i = 1, #unknown, 2 do
  if unknown[i + 1] == ARGV[7] and unknown[i] ~= ARGV[6] then outcome, first = 'BLOCKED', unknown[i] end
end
-- Every order with this content, newest first. Whoever names one knows of it and of those before it.
local named = ARGV[9] ~= '' and tonumber(redis.call('ZSCORE', KEYS[7], ARGV[9]) or 0) or 0
local like = redis.call('ZREVRANGE', KEYS[7], 0, -1, 'WITHSCORES')
for i = 1, #like, 2 do
  local was = redis.call('HMGET', ARGV[10] .. like[i], 'state', 'stage', 'may_resubmit')
  local at = tonumber(like[i + 1])
  local recent = now - at < tonumber(ARGV[8])
  local open = was[1] == 'PENDING' or was[1] == 'UNKNOWN' or was[2] == 'SENDING'
  local ended = was[1] == 'FILLED' or was[1] == 'CANCELLED' or was[1] == 'REJECTED' or was[2] == 'UNSENT'
  if not was[2] or (ended and not recent) then
    redis.call('ZREM', KEYS[7], like[i])
  elseif outcome == 'NEW' and like[i] ~= ARGV[6] and at > named and was[2] ~= 'UNSENT' and was[2] ~= 'HELD'
      and was[3] ~= '1' and (recent or open) then
    outcome, first = 'DUPLICATE', like[i]
  end
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[4], 'begun_ms', now, 'attempt', ARGV[5], unpack(ARGV, 15))
redis.call('PEXPIRE', KEYS[1], ARGV[13])
if outcome ~= 'NEW' then
  redis.call('HSET', KEYS[1], 'stage', 'HELD', 'held_by', first, 'held_for', outcome, 'may_resubmit', 0)
  redis.call('RPUSH', KEYS[2], ARGV[12])
  redis.call('PEXPIRE', KEYS[2], ARGV[13])
  return {outcome, first}
end
redis.call('HDEL', KEYS[1], 'why', 'held_by', 'held_for')
redis.call('HSET', KEYS[1], 'stage', 'SENDING', 'state', 'PENDING', 'holder', ARGV[1], 'may_resubmit', 0)
redis.call('PERSIST', KEYS[1])
redis.call('RPUSH', KEYS[2], ARGV[11])
redis.call('PERSIST', KEYS[2])
redis.call('SADD', KEYS[5], ARGV[6])
redis.call('ZADD', KEYS[7], now, ARGV[6])
redis.call('PEXPIRE', KEYS[7], ARGV[13])
redis.call('ZADD', KEYS[9], now, ARGV[6])
redis.call('ZREMRANGEBYSCORE', KEYS[9], 0, now - ARGV[13])
redis.call('PEXPIRE', KEYS[9], ARGV[13])
redis.call('HSET', KEYS[8], ARGV[6], ARGV[5])
return {'NEW', tostring(redis.call('HINCRBY', KEYS[4], 'begun', 1))}
"""

NOTE: Final = (
    _LEADS
    + """
-- KEYS order, history, open, unknown, lease, at its place, sentinel, then the sets of its names
-- ARGV key, stage, state, is it over, view, account and contract, keep ms, event or '', may it be resubmitted, worker,
--      number of this note among the worker's
-- With the outcome comes how many notes this Redis has taken.
if fenced(KEYS[5], ARGV[10]) then return {'NOT_LEADER', 0} end
local stage = redis.call('HGET', KEYS[1], 'stage')
if stage == 'RESOLVED' and ARGV[3] == 'UNKNOWN' then return {'RESOLVED', 0} end
if ARGV[8] ~= '' then redis.call('RPUSH', KEYS[2], ARGV[8]) end
-- Notes may overtake each other on the way: a newer word of the same worker stands.
local last = redis.call('HMGET', KEYS[1], 'noted_by', 'note')
if last[1] == ARGV[10] and tonumber(last[2]) > tonumber(ARGV[11]) then return {'NOTED', 0} end
redis.call('HSET', KEYS[1], 'stage', ARGV[2], 'state', ARGV[3], 'view', ARGV[5], 'may_resubmit', ARGV[9],
  'noted_by', ARGV[10], 'note', ARGV[11])
local found = 0
if ARGV[3] == 'UNKNOWN' then
  redis.call('HSET', KEYS[4], ARGV[1], ARGV[6])
else
  found = redis.call('HDEL', KEYS[4], ARGV[1])
end
for i = 8, #KEYS do redis.call('SADD', KEYS[i], ARGV[1]) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[6], 'NX', now, ARGV[1])
redis.call('PEXPIRE', KEYS[6], ARGV[7])
if ARGV[4] == '1' then
  redis.call('SREM', KEYS[3], ARGV[1])
  redis.call('HSETNX', KEYS[1], 'over_ms', now)
else
  redis.call('SADD', KEYS[3], ARGV[1])
  redis.call('HDEL', KEYS[1], 'over_ms')
end
-- Kept for so long after the end, and for ever before it.
for i = 1, #KEYS do
  if i < 3 or i > 7 then
    if ARGV[4] == '1' then redis.call('PEXPIRE', KEYS[i], ARGV[7]) else redis.call('PERSIST', KEYS[i]) end
  end
end
local known = redis.call('HEXISTS', KEYS[7], 'id') == 1
return {found == 1 and 'FOUND' or 'NOTED', known and redis.call('HINCRBY', KEYS[7], 'notes', 1) or 0}
"""
)

PROVE_UNSENT: Final = (
    _LEADS
    + """
-- KEYS order, history, open, unknown, lease  ARGV key, event, keep ms, worker, attempt, stage, why
-- Says nothing of what another attempt, or another worker, may have sent.
if fenced(KEYS[5], ARGV[4]) then return 'NOT_LEADER' end
local stage = redis.call('HGET', KEYS[1], 'stage')
if stage == 'KNOWN' or stage == 'RESOLVED' then return 'KNOWN' end
if stage == 'SENDING' and (redis.call('HGET', KEYS[1], 'attempt') or '') ~= ARGV[5] then return 'KNOWN' end
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
if not stage or stage == 'UNSENT' then return 'PROVEN' end
redis.call('HDEL', KEYS[1], 'view', 'state')
redis.call('HSET', KEYS[1], 'stage', ARGV[6], 'why', ARGV[7], 'may_resubmit', 1, 'closed', ARGV[5])
redis.call('RPUSH', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 'PROVEN'
"""
)

DROP: Final = """
-- KEYS order, history, open  ARGV key, keep ms
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
"""

ADRIFT: Final = """
-- KEYS open  ARGV prefix of order keys. The open orders that were begun and of which nothing more is known.
local found = {}
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('HGET', ARGV[1] .. key, 'stage') == 'SENDING' then found[#found + 1] = key end
end
return found
"""

RESTORE: Final = """
-- KEYS order, history, open, like, at its place, then the sets of its names
-- ARGV key, event, keep ms, begun ms, its state or '' where it may not be over, view, may it be resubmitted, over ms,
--      then fields and values
-- Redis forgot the order; the file did not.
local function remember()
  redis.call('HSET', KEYS[1], 'begun_ms', ARGV[4], unpack(ARGV, 9))
  for i = 4, 5 do
    redis.call('ZADD', KEYS[i], ARGV[4], ARGV[1])
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  end
end
local stage = redis.call('HGET', KEYS[1], 'stage')
local begun = redis.call('HEXISTS', KEYS[1], 'fingerprint') == 1
if stage and stage ~= 'QUEUED' and stage ~= 'HELD' and (stage ~= 'UNSENT' or begun) then
  -- What the gateway said since may have come first: then only the order itself is missing.
  if not begun then remember() end
  return 0
end
remember()
redis.call('RPUSH', KEYS[2], ARGV[2])
if ARGV[5] == '' then
  redis.call('HSET', KEYS[1], 'stage', 'SENDING', 'state', 'PENDING')
  redis.call('SADD', KEYS[3], ARGV[1])
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[2])
  return 1
end
redis.call('HSET', KEYS[1], 'stage', 'KNOWN', 'state', ARGV[5], 'view', ARGV[6], 'may_resubmit', ARGV[7],
  'over_ms', ARGV[8])
for i = 1, #KEYS do
  if i > 5 then redis.call('SADD', KEYS[i], ARGV[1]) end
  if i < 3 or i > 5 then redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
end
return 1
"""

RESOLVE: Final = """
-- KEYS order, history, open, unknown  ARGV key, state, event, keep ms, view, may it be resubmitted
-- Only what is unknown can be resolved.
if redis.call('HDEL', KEYS[4], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'stage', 'RESOLVED', 'state', ARGV[2], 'view', ARGV[5], 'may_resubmit', ARGV[6])
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('RPUSH', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
"""

IDENTIFY: Final = """
-- KEYS sentinel, epoch  ARGV new id, lowest count, lowest epoch. The id of this Redis, made where it has none.
redis.call('HSETNX', KEYS[1], 'id', ARGV[1])
if tonumber(redis.call('HGET', KEYS[1], 'begun') or 0) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'begun', ARGV[2])
end
if tonumber(redis.call('GET', KEYS[2]) or 0) < tonumber(ARGV[3]) then redis.call('SET', KEYS[2], ARGV[3]) end
return redis.call('HMGET', KEYS[1], 'id', 'begun')
"""
