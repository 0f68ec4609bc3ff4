"""What must happen in Redis in one step, as Lua. Every script is loaded again by itself after Redis lost it.

Scores. arq's sorted set orders jobs by the time they are due, and so do we, with three shifts.
- An order or cancel is due ``AHEAD`` of any query, so that whatever waits, it comes first.
- A query is due the later, the more its caller already has in the queue: ``TURN`` for each. One caller's flood queues
  behind itself, and another's single question passes it. ``HEAD_START`` keeps all of them due by arq's clock.
- A claimed job stays in the set with ``CLAIMED`` added: it is found again if its worker dies, and stands behind all
  that is still to be claimed. To arq it is deferred, which it is.
"""

from __future__ import annotations

from typing import Final

from shared.queue import arq_seam

AHEAD: Final = 1_500_000_000_000
"""Milliseconds taken off the scores of the order lane."""
LANE_BOUNDARY: Final = 1_000_000_000_000
"""Below it lie orders and cancels (until 2049), from it on queries."""
CLAIMED: Final = 10_000_000_000_000
TURN: Final = 20
HEAD_START: Final = 600_000

_COMMON: Final = f"""
local JOB, RESULT, MARK, CLAIMED = '{arq_seam.JOB}', '{arq_seam.RESULT}', '{arq_seam.IN_PROGRESS}', {CLAIMED}
-- Takes a job out of the queue and off its caller's count; the caller's tag is the middle part of the job's id.
local function leave(queue, callers, id)
  if redis.call('ZREM', queue, id) == 0 then return false end
  local tag = string.match(id, ':([^:]+):[^:]+$')
  if tag and redis.call('HINCRBY', callers, tag, -1) <= 0 then redis.call('HDEL', callers, tag) end
  return true
end
"""

ENQUEUE: Final = (
    _COMMON
    + f"""
-- KEYS queue, wake, heartbeat, callers
-- ARGV id, payload, ttl ms, score, lane min, lane max, lane limit, caller's tag, caller's limit
if redis.call('EXISTS', KEYS[3]) == 0 then return 'NO_WORKER' end
if redis.call('EXISTS', JOB .. ARGV[1], RESULT .. ARGV[1]) > 0 then return 'KNOWN' end
if redis.call('ZCOUNT', KEYS[1], ARGV[5], '(' .. ARGV[6]) >= tonumber(ARGV[7]) then return 'BUSY' end
local has = tonumber(redis.call('HGET', KEYS[4], ARGV[8]) or 0)
if has >= tonumber(ARGV[9]) then return 'CALLER_BUSY' end
redis.call('HINCRBY', KEYS[4], ARGV[8], 1)
redis.call('PSETEX', JOB .. ARGV[1], ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[1], tonumber(ARGV[4]) + has * {TURN}, ARGV[1])
if redis.call('LLEN', KEYS[2]) == 0 then redis.call('RPUSH', KEYS[2], '1') end
return 'OK'
"""
)

CLAIM: Final = (
    _COMMON
    + """
-- KEYS queue, wake, lease, callers  ARGV holder, mark ttl ms, then for each lane: min, max, count
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return false end
redis.call('DEL', KEYS[2])
local claimed = {}
for lane = 3, #ARGV, 3 do
  local ids = {}
  if tonumber(ARGV[lane + 2]) > 0 then
    ids = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[lane], '(' .. ARGV[lane + 1], 'WITHSCORES',
                     'LIMIT', 0, ARGV[lane + 2])
  end
  for i = 1, #ids, 2 do
    local payload = redis.call('GET', JOB .. ids[i])
    if payload then
      redis.call('ZADD', KEYS[1], CLAIMED + tonumber(ids[i + 1]), ids[i])
      redis.call('SET', MARK .. ids[i], ARGV[1], 'PX', ARGV[2])
      claimed[#claimed + 1] = ids[i]
      claimed[#claimed + 1] = payload
      claimed[#claimed + 1] = ids[i + 1]
    else
      leave(KEYS[1], KEYS[4], ids[i])  -- its deadline passed and took the job with it
    end
  end
end
return claimed
"""
)

FINISH: Final = (
    _COMMON
    + """
-- KEYS queue, callers
-- ARGV for each job: id, result, ttl ms, channel, message, then to share it: key or '', ms, answer
for i = 1, #ARGV, 8 do
  redis.call('SET', RESULT .. ARGV[i], ARGV[i + 1], 'PX', ARGV[i + 2])
  leave(KEYS[1], KEYS[2], ARGV[i])
  redis.call('DEL', JOB .. ARGV[i], MARK .. ARGV[i])
  if ARGV[i + 5] ~= '' then redis.call('SET', ARGV[i + 5], ARGV[i + 7], 'PX', ARGV[i + 6]) end
  if ARGV[i + 3] ~= '' then redis.call('PUBLISH', ARGV[i + 3], ARGV[i + 4]) end
end
return #ARGV / 8
"""
)

WITHDRAW: Final = (
    _COMMON
    + """
-- KEYS queue, callers  ARGV id
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score then return 'GONE' end
if tonumber(score) >= CLAIMED then return 'CLAIMED' end
leave(KEYS[1], KEYS[2], ARGV[1])
redis.call('DEL', JOB .. ARGV[1])
return 'WITHDRAWN'
"""
)

LEAD: Final = (
    _COMMON
    + """
-- KEYS lease, epoch, heartbeat, queue, wake  ARGV worker, lease ms, heartbeat ms, holder or ''
-- Renews the lease of its holder, or takes a free one under a new epoch and puts a dead holder's jobs back.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[4] then return '' end
if not holder then
  holder = ARGV[1] .. ':' .. redis.call('INCR', KEYS[2])
  local left = redis.call('ZRANGEBYSCORE', KEYS[4], CLAIMED, '+inf', 'WITHSCORES')
  for i = 1, #left, 2 do
    redis.call('ZADD', KEYS[4], tonumber(left[i + 1]) - CLAIMED, left[i])
    redis.call('DEL', MARK .. left[i])
  end
  if #left > 0 then redis.call('RPUSH', KEYS[5], '1') end
end
redis.call('SET', KEYS[1], holder, 'PX', ARGV[2])
redis.call('SET', KEYS[3], holder, 'PX', ARGV[3])
return holder
"""
)

RESIGN: Final = """
-- KEYS lease, heartbeat  ARGV holder
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1], KEYS[2]) end
return 1
"""
