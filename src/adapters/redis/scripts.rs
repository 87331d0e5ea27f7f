//! The scripts that run inside Redis, where nothing comes between their steps.

use redis::Script;

/// KEYS: leases. ARGV: the time in ms, then a token for each lease. Answers for each with 1 (extended), 0 (nobody holds
/// it) or -1 (somebody else does).
const RENEW: &str = r"
local answers = {}
for n, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if holder == ARGV[n + 1] then
    answers[n] = redis.call('PEXPIRE', key, ARGV[1])
  elseif holder then
    answers[n] = -1
  else
    answers[n] = 0
  end
end
return answers";

/// KEYS: a lease. ARGV: its token.
const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0";

/// KEYS: leases. ARGV: what the tokens of a dead process begin with. Answers with how many it held.
const EVICT: &str = r"
local evicted = 0
for _, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if holder and string.sub(holder, 1, #ARGV[1]) == ARGV[1] then
    evicted = evicted + redis.call('DEL', key)
  end
end
return evicted";

/// KEYS: ends, beats. ARGV: member, beat, time in ms. The moments are those of the server's clock alone. Both keys go
/// with the last member.
const BEAT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[3]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', key, ARGV[3])
  end
end
return 1";

/// KEYS: ends, beats. Forgets whose time is over and answers with the beats of the others.
const MEMBERS: &str = r"
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[2], member)
end
return redis.call('HVALS', KEYS[2])";

/// KEYS: ends, beats. ARGV: member.
const LEAVE: &str = r"
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])";

/// KEYS: a recipient's books, a sorted set of jobs by the moment of their booking. ARGV: job, now in ms, span in ms,
/// messages per day or 0. Answers with 0 (booked, now or before) or the moment in ms before which it may not go.
///
/// A booking is kept for the longer of the span and a day, and so is the memory that this job was booked.
const CHARGE: &str = r"
local books, job, now, span, per_day = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local day = 86400000
local kept = math.max(day, span)
redis.call('ZREMRANGEBYSCORE', books, '-inf', string.format('%.0f', now - kept))
if redis.call('ZSCORE', books, job) then
  return 0
end
local not_before = 0
local last = redis.call('ZRANGE', books, -1, -1, 'WITHSCORES')[2]
if last and last + span > now then
  not_before = last + span
end
if per_day > 0 then
  local since = '(' .. string.format('%.0f', now - day)
  local booked = redis.call('ZCOUNT', books, since, '+inf')
  if booked >= per_day then
    local frees = redis.call('ZRANGEBYSCORE', books, since, '+inf', 'WITHSCORES', 'LIMIT', booked - per_day, 1)[2]
    not_before = math.max(not_before, frees + day)
  end
end
if not_before > 0 then
  return not_before
end
redis.call('ZADD', books, string.format('%.0f', now), job)
redis.call('PEXPIRE', books, string.format('%.0f', kept))
return 0";

/// KEYS: a recipient's books. ARGV: job.
const REFUND: &str = "return redis.call('ZREM', KEYS[1], ARGV[1])";

/// All scripts, with their hashes.
pub(super) struct Scripts {
    pub(super) renew: Script,
    pub(super) release: Script,
    pub(super) evict: Script,
    pub(super) beat: Script,
    pub(super) members: Script,
    pub(super) leave: Script,
    pub(super) charge: Script,
    pub(super) refund: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            renew: Script::new(RENEW),
            release: Script::new(RELEASE),
            evict: Script::new(EVICT),
            beat: Script::new(BEAT),
            members: Script::new(MEMBERS),
            leave: Script::new(LEAVE),
            charge: Script::new(CHARGE),
            refund: Script::new(REFUND),
        }
    }
}
