"""What must happen in Redis in one step, as Lua. Every script is loaded again by itself after Redis lost it.

Scores. arq's sorted set orders jobs by the time they are due, and so do we, with three shifts.
- An order or cancel is due ``AHEAD`` of any query, so that whatever waits, it comes first.
- A query is due the later, the more its caller already has in the queue: ``TURN`` for each. One caller's flood queues
  behind itself, and another's single question passes it. ``HEAD_START`` keeps all of them due by arq's clock.
- A claimed job stays in the set with ``CLAIMED`` added: it is found again if its worker dies, and stands behind all
  that is still to be claimed. To arq it is deferred, which it is.

Marks. arq's in-progress key stands from a job's first claim to its answer and outlives the job. A job put back by a new
lease holder keeps it: nobody may say of such a job that it was certainly never begun.
"""

from __future__ import annotations

from typing import Final

from shared.queue import arq_seam

AHEAD: Final = 1_500_000_000_000
"""Milliseconds taken off the scores of the order lane."""
LANE_BOUNDARY: Final = 1_000_000_000_000
"""Below it lie orders and cancels (until 2049), from it on queries."""
CLAIMED: Final = 10_000_000_000_000
TURN: Final = 250
"""Milliseconds: long beside the time in which a flood is put in, so that turns go by count and not by the clock."""
HEAD_START: Final = 900_000

MOST_BYTES: Final = 512 * 1024
"""Of a job's payload: an envelope of 64 KiB, quoted inside JSON. What is larger is refused without being fetched."""

_COMMON: Final = f"""
local JOB, RESULT, MARK, CLAIMED = '{arq_seam.JOB}', '{arq_seam.RESULT}', '{arq_seam.IN_PROGRESS}', {CLAIMED}
-- Takes a job out of the queue and off its caller's count; the caller's tag is the middle part of the job's id.
local function leave(queue, callers, id)
  redis.call('DEL', JOB .. id, MARK .. id)
  if redis.call('ZREM', queue, id) == 0 then return end
  local tag = string.match(id, ':([^:]+):[^:]+$')
  if tag and redis.call('HINCRBY', callers, tag, -1) <= 0 then redis.call('HDEL', callers, tag) end
end
-- Takes back a job that nobody has begun; a job that ever was claimed may have been.
local function withdraw(queue, callers, id)
  local score = redis.call('ZSCORE', queue, id)
  if not score then return 'GONE' end
  if tonumber(score) >= CLAIMED or redis.call('EXISTS', MARK .. id) == 1 then return 'CLAIMED' end
  leave(queue, callers, id)
  return 'WITHDRAWN'
end
"""

ENQUEUE: Final = (
    _COMMON
    + f"""
-- KEYS queue, wake, heartbeat, callers
-- ARGV for each job: id, payload, ttl ms, shift of its score, lane min, lane max, lane limit, caller's tag and limit
-- Answers for each job. Whoever asks again, because the first answer was lost, is told that the job is KNOWN.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local served = redis.call('EXISTS', KEYS[3]) == 1
local answers, added = {{}}, false
for i = 1, #ARGV, 9 do
  local id, tag, answer = ARGV[i], ARGV[i + 7], 'OK'
  local has = tonumber(redis.call('HGET', KEYS[4], tag) or 0)
  if redis.call('EXISTS', JOB .. id, RESULT .. id) > 0 then answer = 'KNOWN'
  elseif not served then answer = 'NO_WORKER'
  elseif redis.call('ZCOUNT', KEYS[1], ARGV[i + 4], '(' .. ARGV[i + 5]) >= tonumber(ARGV[i + 6]) then answer = 'BUSY'
  elseif has >= tonumber(ARGV[i + 8]) then answer = 'CALLER_BUSY'
  else
    redis.call('HINCRBY', KEYS[4], tag, 1)
    redis.call('SET', JOB .. id, ARGV[i + 1], 'PX', ARGV[i + 2])
    redis.call('ZADD', KEYS[1], now - ARGV[i + 3] + has * {TURN}, id)
    added = true
  end
  answers[#answers + 1] = answer
end
if added and redis.call('LLEN', KEYS[2]) == 0 then redis.call('RPUSH', KEYS[2], '1') end
return answers
"""
)

CLAIM: Final = (
    _COMMON
    + f"""
-- KEYS queue, wake, lease, callers
-- ARGV holder, mark ttl ms, 'lost' or '', then for each lane: min, max, count
-- Answers id, payload, score of each job. 'lost' asks for the jobs already claimed instead: the answer to an earlier
-- claim may never have arrived. It may not be repeated by whoever does not know whether it ran.
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return false end
local claimed = {{}}
-- What is not a string, or has expired with its deadline, leaves the queue; what is too large is claimed without it.
local function take(id, score)
  local size = redis.pcall('STRLEN', JOB .. id)
  if type(size) ~= 'number' or size == 0 then
    leave(KEYS[1], KEYS[4], id)
    return 0
  end
  redis.call('ZADD', KEYS[1], CLAIMED + score, id)
  redis.call('SET', MARK .. id, ARGV[1], 'PX', ARGV[2])
  claimed[#claimed + 1] = id
  claimed[#claimed + 1] = size <= {MOST_BYTES} and redis.call('GET', JOB .. id) or ''
  claimed[#claimed + 1] = tostring(score)
  return 1
end
if ARGV[3] == 'lost' then
  local ids = redis.call('ZRANGEBYSCORE', KEYS[1], CLAIMED, '+inf', 'WITHSCORES')
  for i = 1, #ids, 2 do take(ids[i], ids[i + 1] - CLAIMED) end
  return claimed
end
redis.call('DEL', KEYS[2])
for lane = 4, #ARGV, 3 do
  local wanted = tonumber(ARGV[lane + 2])
  while wanted > 0 do
    local ids = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[lane], '(' .. ARGV[lane + 1], 'WITHSCORES',
                           'LIMIT', 0, wanted)
    if #ids == 0 then break end
    for i = 1, #ids, 2 do wanted = wanted - take(ids[i], tonumber(ids[i + 1])) end
  end
end
return claimed
"""
)

FINISH: Final = (
    _COMMON
    + """
-- KEYS queue, callers
-- ARGV for each job: id, name, result, ttl ms, channel, answer, then to share it: key or '', ms
for i = 1, #ARGV, 8 do
  redis.call('SET', RESULT .. ARGV[i], ARGV[i + 2], 'PX', ARGV[i + 3])
  leave(KEYS[1], KEYS[2], ARGV[i])
  if ARGV[i + 6] ~= '' then redis.call('SET', ARGV[i + 6], ARGV[i + 5], 'PX', ARGV[i + 7]) end
  if ARGV[i + 4] ~= '' then redis.call('PUBLISH', ARGV[i + 4], 'A ' .. ARGV[i + 1] .. ' ' .. ARGV[i + 5]) end
end
return #ARGV / 8
"""
)

WITHDRAW: Final = (
    _COMMON
    + """
-- KEYS queue, callers  ARGV id
return withdraw(KEYS[1], KEYS[2], ARGV[1])
"""
)

LOOK: Final = (
    _COMMON
    + """
-- KEYS queue, callers, heartbeat  ARGV ids
-- What became of jobs whose answers were not heard: '=' and the result, WAITING, WITHDRAWN where no worker serves and
-- none has begun it, or LOST: Redis knows nothing of it.
local served = redis.call('EXISTS', KEYS[3]) == 1
local answers = {}
for i, id in ipairs(ARGV) do
  local result = redis.call('GET', RESULT .. id)
  if result then answers[i] = '=' .. result
  elseif redis.call('EXISTS', JOB .. id) == 0 then answers[i] = 'LOST'
  elseif not served and withdraw(KEYS[1], KEYS[2], id) == 'WITHDRAWN' then answers[i] = 'WITHDRAWN'
  else answers[i] = 'WAITING' end
end
return answers
"""
)

LEAD: Final = (
    _COMMON
    + """
-- KEYS lease, epoch, heartbeat, queue, wake  ARGV worker, lease ms, heartbeat ms, highest epoch known
-- Renews the lease of its holder, or takes a free one under a new epoch and puts a dead holder's jobs back.
-- The holder is known by its name, so that a new holder whom the answer did not reach learns its epoch by asking again.
local holder = redis.call('GET', KEYS[1])
if holder and string.sub(holder, 1, #ARGV[1] + 1) ~= ARGV[1] .. ':' then return '' end
if not holder then
  local epoch = redis.call('INCR', KEYS[2])
  if epoch <= tonumber(ARGV[4]) then
    epoch = ARGV[4] + 1
    redis.call('SET', KEYS[2], epoch)
  end
  holder = ARGV[1] .. ':' .. epoch
  local left = redis.call('ZRANGEBYSCORE', KEYS[4], CLAIMED, '+inf', 'WITHSCORES')
  for i = 1, #left, 2 do redis.call('ZADD', KEYS[4], left[i + 1] - CLAIMED, left[i]) end
  if #left > 0 then redis.call('RPUSH', KEYS[5], '1') end
end
redis.call('SET', KEYS[1], holder, 'PX', ARGV[2])
redis.call('SET', KEYS[3], holder, 'PX', ARGV[3])
return holder
"""
)

RESIGN: Final = """
-- KEYS lease, heartbeat  ARGV worker
local holder = redis.call('GET', KEYS[1])
if holder and string.sub(holder, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then redis.call('DEL', KEYS[1], KEYS[2]) end
return 1
"""
