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

from shared import audit
from shared.queue import arq_seam
from shared.queue.replies import SEPARATOR

AHEAD: Final = 1_500_000_000_000
"""Milliseconds taken off the scores of the order lane."""
LANE_BOUNDARY: Final = 1_000_000_000_000
"""Below it lie orders and cancels (until 2049), from it on queries."""
CLAIMED: Final = 10_000_000_000_000
TURN: Final = 250
"""Milliseconds: long beside the time in which a flood is put in, so that turns go by count and not by the clock."""
HEAD_START: Final = 900_000

PASS_OVER: Final = 1_000
"""Jobs of callers who have their share, when looking for another's behind them."""

MOST_BYTES: Final = 512 * 1024
"""Of a job's payload: an envelope of 64 KiB, quoted inside JSON. What is larger is refused without being fetched."""

WAKE_UP: Final = "1"
"""On the wake list: there is something to claim."""

_COMMON: Final = f"""
local JOB, RESULT, MARK, CLAIMED = '{arq_seam.JOB}', '{arq_seam.RESULT}', '{arq_seam.IN_PROGRESS}', {CLAIMED}
-- Takes jobs out of the queue and off their callers' counts; the caller's tag is the middle part of a job's id.
local function leave(queue, callers, ids)
  local keys, fewer, scores = {{}}, {{}}, redis.call('ZMSCORE', queue, unpack(ids))
  for i, id in ipairs(ids) do
    keys[2 * i - 1], keys[2 * i] = JOB .. id, MARK .. id
    local tag = scores[i] and string.match(id, ':([^:]+):[^:]+$')
    if tag then fewer[tag] = (fewer[tag] or 0) + 1 end
  end
  redis.call('ZREM', queue, unpack(ids))
  redis.call('DEL', unpack(keys))
  for tag, count in pairs(fewer) do
    if redis.call('HINCRBY', callers, tag, -count) <= 0 then redis.call('HDEL', callers, tag) end
  end
end
-- Takes back a job that nobody has begun; a job that ever was claimed may have been. Nobody is shown it any more.
local function withdraw(queue, callers, wake, id)
  local score = redis.call('ZSCORE', queue, id)
  if not score then return 'GONE' end
  if tonumber(score) >= CLAIMED or redis.call('EXISTS', MARK .. id) == 1 then return 'CLAIMED' end
  leave(queue, callers, {{id}})
  local word = redis.call('LINDEX', wake, 0)
  if word and string.sub(word, 1, #id + 1) == id .. ' ' then redis.call('LSET', wake, 0, '{WAKE_UP}') end
  return 'WITHDRAWN'
end
"""

ENQUEUE: Final = (
    _COMMON
    + f"""
-- KEYS queue, wake, heartbeat, callers
-- ARGV the lane's shift of scores, min, max, limit, limit of one caller, then for each job: id, payload, ttl ms, tag
-- Answers for each job. Whoever asks again, because the first answer was lost, is told that the job is KNOWN.
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
local served = redis.call('EXISTS', KEYS[3]) == 1
-- Counted exactly, and by lane, only where that can matter.
local all, waiting = redis.call('ZCARD', KEYS[1]), 0
if all + (#ARGV - 5) / 4 > tonumber(ARGV[4]) then
  waiting = redis.call('ZCOUNT', KEYS[1], ARGV[2], '(' .. ARGV[3])
end
local answers, added, has, names, seen = {{}}, {{}}, {{}}, {{}}, {{}}
for i = 6, #ARGV, 4 do
  names[#names + 1] = JOB .. ARGV[i]
  names[#names + 1] = RESULT .. ARGV[i]
end
local new = redis.call('EXISTS', unpack(names)) == 0
for i = 6, #ARGV, 4 do
  local id, tag, answer = ARGV[i], ARGV[i + 3], 'OK'
  has[tag] = has[tag] or all > 0 and tonumber(redis.call('HGET', KEYS[4], tag) or 0) or 0
  if seen[id] or not new and redis.call('EXISTS', JOB .. id, RESULT .. id) > 0 then answer = 'KNOWN'
  elseif not served then answer = 'NO_WORKER'
  elseif waiting >= tonumber(ARGV[4]) then answer = 'BUSY'
  elseif has[tag] >= tonumber(ARGV[5]) then answer = 'CALLER_BUSY'
  else
    redis.call('SET', JOB .. id, ARGV[i + 1], 'PX', ARGV[i + 2])
    added[#added + 1] = due + has[tag] * {TURN}
    added[#added + 1] = id
    has[tag], waiting, seen[id] = has[tag] + 1, waiting + 1, true
  end
  answers[#answers + 1] = answer
end
if #added == 0 then return answers end
redis.call('ZADD', KEYS[1], unpack(added))
for tag, count in pairs(has) do if count > 0 then redis.call('HSET', KEYS[4], tag, count) end end
-- A lone query is shown to whoever wakes, so that it can be begun while it is claimed. Whatever comes next hides it.
local word = '{WAKE_UP}'
if all == 0 and #ARGV == 9 and due >= {LANE_BOUNDARY} then word = ARGV[6] .. ' ' .. ARGV[7] end
if redis.call('RPUSH', KEYS[2], word) > 1 then
  redis.call('RPOP', KEYS[2])
  redis.call('LSET', KEYS[2], 0, '{WAKE_UP}')
end
return answers
"""
)

CLAIM: Final = (
    _COMMON
    + f"""
-- KEYS queue, wake, lease, callers
-- ARGV holder, mark ttl ms, 'lost' or '', a job begun already or '', how many jobs of whom run as JSON, then for each
--      lane: min, max, count, how many of them may be of one caller
-- Answers id, payload, score of each job. 'lost' asks for the jobs already claimed instead: the answer to an earlier
-- claim may never have arrived. It may not be repeated by whoever does not know whether it ran.
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return false end
local claimed, running = {{}}, cjson.decode(ARGV[5])
local function tag_of(id) return string.match(id, ':([^:]+):[^:]+$') or '' end
-- Takes of some jobs those that are there. What is not a string, or has expired with its deadline, leaves the queue;
-- what is too large is claimed without it.
local function take(ids, shift)
  local taken, scores, left = 0, {{}}, {{}}
  for i = 1, #ids, 2 do
    local id, score = ids[i], ids[i + 1] - shift
    local payload = redis.pcall('GETRANGE', JOB .. id, 0, {MOST_BYTES})
    if type(payload) ~= 'string' or payload == '' then left[#left + 1] = id
    else
      redis.call('SET', MARK .. id, ARGV[1], 'PX', ARGV[2])
      scores[2 * taken + 1], scores[2 * taken + 2] = CLAIMED + score, id
      claimed[#claimed + 1] = id
      claimed[#claimed + 1] = #payload <= {MOST_BYTES} and payload or ''
      claimed[#claimed + 1] = tostring(score)
      taken = taken + 1
      running[tag_of(id)] = (running[tag_of(id)] or 0) + 1
    end
  end
  if taken > 0 then redis.call('ZADD', KEYS[1], unpack(scores)) end
  if #left > 0 then leave(KEYS[1], KEYS[4], left) end
  return taken
end
if ARGV[3] == 'lost' then
  -- Their scores do not change, so that looking further goes by position.
  local start, all = 0, redis.call('ZCOUNT', KEYS[1], CLAIMED, '+inf')
  while start < all do
    local ids = redis.call('ZRANGEBYSCORE', KEYS[1], CLAIMED, '+inf', 'WITHSCORES', 'LIMIT', start, 100)
    if #ids == 0 then break end
    start = start + take(ids, CLAIMED)
  end
  return claimed
end
redis.call('DEL', KEYS[2])
local begun = redis.call('ZSCORE', KEYS[1], ARGV[4])
if begun and tonumber(begun) < CLAIMED then take({{ARGV[4], begun}}, 0) end
-- Passes over the jobs of callers who have their share. Those taken leave the range, those passed over stay in it.
for lane = 6, #ARGV, 4 do
  local wanted, most, passed = tonumber(ARGV[lane + 2]), tonumber(ARGV[lane + 3]), 0
  while wanted > 0 and passed < {PASS_OVER} do
    local window = passed == 0 and wanted or 100
    local ids = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[lane], '(' .. ARGV[lane + 1], 'WITHSCORES',
                           'LIMIT', passed, window)
    local chosen, of = {{}}, {{}}
    for i = 1, #ids, 2 do
      local tag = tag_of(ids[i])
      of[tag] = of[tag] or running[tag] or 0
      if #chosen == 2 * wanted then break
      elseif of[tag] >= most then passed = passed + 1
      else
        of[tag] = of[tag] + 1
        chosen[#chosen + 1], chosen[#chosen + 2] = ids[i], ids[i + 1]
      end
    end
    if #chosen > 0 then wanted = wanted - take(chosen, 0) end
    if #ids < 2 * window then break end
  end
end
return claimed
"""
)

FINISH: Final = (
    _COMMON
    + audit.LUA
    + f"""
-- KEYS queue, callers, audit, audit due
-- ARGV results' ttl ms, then for each job: id, result, channel, answer, then to share it: key or '', ms,
--      then how many parts its entry in the audit has, and the parts
-- The answers for one channel are published together. Answers the ids of the jobs whose entry could not be written.
local ids, said, silent = {{}}, {{}}, {{}}
local i = 2
while i <= #ARGV do
  local id, channel, answer, parts = ARGV[i], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 6])
  if parts > 0 and not pcall(append, KEYS[3], KEYS[4], i + 7, i + 6 + parts) then silent[#silent + 1] = id end
  redis.call('SET', RESULT .. id, ARGV[i + 1], 'PX', ARGV[1])
  ids[#ids + 1] = id
  if ARGV[i + 4] ~= '' then redis.call('SET', ARGV[i + 4], answer, 'PX', ARGV[i + 5]) end
  said[channel] = said[channel] or {{}}
  table.insert(said[channel], 'A ' .. id .. ' ' .. answer)
  i = i + 7 + parts
end
leave(KEYS[1], KEYS[2], ids)
for channel, answers in pairs(said) do
  if channel ~= '' then redis.call('PUBLISH', channel, table.concat(answers, '{SEPARATOR}')) end
end
return silent
"""
)

WITHDRAW: Final = (
    _COMMON
    + """
-- KEYS queue, callers, wake  ARGV id
return withdraw(KEYS[1], KEYS[2], KEYS[3], ARGV[1])
"""
)

LOOK: Final = (
    _COMMON
    + """
-- KEYS queue, callers, wake, heartbeat  ARGV ids
-- What became of jobs whose answers were not heard: '=' and the result, WAITING, WITHDRAWN where no worker serves and
-- none has begun it, or LOST: Redis knows nothing of it.
local served = redis.call('EXISTS', KEYS[4]) == 1
local answers = {}
for i, id in ipairs(ARGV) do
  local result = redis.call('GET', RESULT .. id)
  if result then answers[i] = '=' .. result
  elseif redis.call('EXISTS', JOB .. id) == 0 then answers[i] = 'LOST'
  elseif not served and withdraw(KEYS[1], KEYS[2], KEYS[3], id) == 'WITHDRAWN' then answers[i] = 'WITHDRAWN'
  else answers[i] = 'WAITING' end
end
return answers
"""
)

LEAD: Final = (
    _COMMON
    + f"""
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
  -- Whatever waits is to be claimed; a query shown to the last holder may be over.
  redis.call('DEL', KEYS[5])
  if redis.call('EXISTS', KEYS[4]) == 1 then redis.call('RPUSH', KEYS[5], '{WAKE_UP}') end
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
