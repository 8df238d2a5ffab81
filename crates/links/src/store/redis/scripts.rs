//! The scripts: each step of the store is one, so it is atomic.
//!
//! A link is three keys in one slot. `link` is a hash: `l` uses left (absent: unlimited), `e` expiry, `k` the latest end of
//! a lease, `x` the second at which Redis forgets its keys, `r` the index of its record, `i` the index of its issuer, and a
//! field for each lease: one letter for its state and when it ends. `due` is a sorted set of its leases by the second at which a use
//! comes back or a lease ends; `back` one of
//! the leases that gave their uses back. States: `n`ew (no request has come with the lease), `h`eld, `s`pent, `r`eturned.
//!
//! The indices are sorted sets, of a record's and of an issuer's links by the second until which they are kept. They are kept for
//! `KEPT` seconds past their ends, so that the application's clock decides and not the server's.
//!
//! A script settles, forgets or revokes `BATCH` leases or links at most, since the server does nothing else meanwhile. It answers
//! [`MORE`] where there is more to do before an answer, and the store runs it again.
//!
//! Only commands of Redis 6.2 and earlier. What can fail comes before what takes a use: a script that dies is not undone.

use redis::Script;

use crate::store::{BATCH, CLAIM_SECONDS, KEPT_SECONDS, RETURNED_LEASES};

/// The answer of a script that is to be run again.
pub(super) const MORE: u8 = 2;

/// What all scripts share. `until` keeps a key for as long as the highest score in it says; `keep` the keys of one link.
const INDICES: &str = r"
local function number(key, field) return tonumber(redis.call('HGET', key, field)) end
local function until_last(index)
  local last = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')
  if last[2] then redis.call('EXPIREAT', index, string.format('%d', last[2])) end
end
local function forget(link)
  local r, i = redis.call('HGET', link, 'r'), redis.call('HGET', link, 'i')
  local id = string.sub(link, -32)
  if r then redis.call('ZREM', r, id) end
  if i then redis.call('ZREM', i, id) end
  local base = string.sub(link, 1, -38)
  redis.call('UNLINK', link, base .. 'due:' .. id, base .. 'back:' .. id)
end
local function prune(index, now)
  local over = math.min(redis.call('ZCOUNT', index, '-inf', now), BATCH)
  if over > 0 then redis.call('ZREMRANGEBYRANK', index, 0, over - 1) end
end
";

const LEASES: &str = r"
local link, due, back = KEYS[1], KEYS[2], KEYS[3]
local function left() return number(link, 'l') end
local function take()
  local n = left()
  if n == 0 then return false end
  if n then redis.call('HINCRBY', link, 'l', -1) end
  return true
end
local function give()
  if left() then redis.call('HINCRBY', link, 'l', 1) end
end
local function lease(id)
  local v = redis.call('HGET', link, id)
  if not v then return nil end
  return string.sub(v, 1, 1), tonumber(string.sub(v, 2))
end
local function drop(id)
  redis.call('HDEL', link, id)
  redis.call('ZREM', due, id)
  redis.call('ZREM', back, id)
end
local function put(id, state, ends, at)
  local last = redis.call('HGET', link, 'x')
  redis.call('ZADD', due, at, id)
  redis.call('EXPIREAT', due, last)
  if state == 'r' then
    redis.call('ZADD', back, ends, id)
    redis.call('EXPIREAT', back, last)
  else
    redis.call('ZREM', back, id)
  end
  redis.call('HSET', link, id, state .. string.format('%d', ends))
  if state == 'r' and redis.call('ZCARD', back) > RETURNED then drop(redis.call('ZRANGE', back, 0, 0)[1]) end
end
local function settle(id, now)
  local s, ends = lease(id)
  if s == 'n' or s == 'h' then give() end
  if s and now < ends then put(id, 'r', ends, ends) else drop(id) end
end
local function settle_some(now)
  local some = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, BATCH)
  for _, id in ipairs(some) do settle(id, now) end
  return #some == BATCH
end
local function keep(ends)
  local k = number(link, 'k')
  if k and k >= ends then return end
  local last = string.format('%d', math.max(ends, number(link, 'e')) + KEPT)
  redis.call('HSET', link, 'k', string.format('%d', ends), 'x', last)
  for _, key in ipairs(KEYS) do redis.call('EXPIREAT', key, last) end
  for _, index in ipairs(redis.call('HMGET', link, 'r', 'i')) do
    redis.call('ZADD', index, last, string.sub(link, -32))
    until_last(index)
  end
end
local function state(id, now)
  if not left() then
    local k = number(link, 'k')
    if k and now < k then return 'h' end
    return 'g'
  end
  local s, ends = lease(id)
  if not s or now >= ends then return 'g' end
  if s == 's' then return 's', ends end
  if s == 'r' and left() == 0 then return 'g' end
  return 'h', ends
end
local function claim(id, ends, to, at)
  if not ends then return end
  if lease(id) == 'r' then take() else at = math.max(at, redis.call('ZSCORE', due, id)) end
  put(id, to, ends, math.min(ends, at))
end
";

const MINT: &str = r"
local link, record, issuer = KEYS[1], KEYS[2], KEYS[3]
local uses, expires, now, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local id, last = string.sub(link, -32), string.format('%d', expires + KEPT)
if redis.call('EXISTS', link) == 1 then return 1 end
prune(issuer, now)
prune(record, now)
if redis.call('ZCOUNT', issuer, '(' .. now, '+inf') >= most then return 0 end
redis.call('ZADD', issuer, last, id)
until_last(issuer)
redis.call('ZADD', record, last, id)
until_last(record)
redis.call('HSET', link, 'e', expires, 'x', last, 'r', record, 'i', issuer)
if uses ~= '' then redis.call('HSET', link, 'l', uses) end
redis.call('EXPIREAT', link, last)
return 1
";

const RESERVE: &str = r"
local id, now, ends = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local e = number(link, 'e')
if not e then return 0 end
local own = redis.call('ZSCORE', due, id)
if own and tonumber(own) <= now then settle(id, now) end
local more = settle_some(now)
local s = lease(id)
if s and s ~= 'r' then return 1 end
if now >= e then return 0 end
if left() == 0 then return more and MORE or 0 end
keep(ends)
if not left() then return 1 end
put(id, 'n', ends, math.min(ends, now + CLAIM))
take()
return 1
";

const ACQUIRE: &str = r"
local found, ends = state(ARGV[1], tonumber(ARGV[2]))
if found == 'h' then claim(ARGV[1], ends, 'h', ARGV[2] + CLAIM) end
return found
";

const LOOK: &str = r"
return (state(ARGV[1], tonumber(ARGV[2])))
";

const COMMIT: &str = r"
local found, ends = state(ARGV[1], tonumber(ARGV[2]))
if found == 'h' then claim(ARGV[1], ends, 's', ends) end
return found ~= 'g' and 1 or 0
";

const RELEASE: &str = r"
local s, ends = lease(ARGV[1])
if s == 'n' or s == 'h' then
  give()
  put(ARGV[1], 'r', ends, ends)
end
return 1
";

const REVOKE: &str = r"
forget(KEYS[1])
return 1
";

const REVOKE_RECORD: &str = r"
local some = redis.call('ZRANGE', KEYS[1], 0, BATCH - 1)
for _, id in ipairs(some) do forget(ARGV[1] .. id) end
if #some == 0 then return 1 end
redis.call('ZREM', KEYS[1], unpack(some))
return #some == BATCH and MORE or 1
";

/// One script for each step.
pub(super) struct Scripts {
    pub(super) mint: Script,
    pub(super) reserve: Script,
    pub(super) acquire: Script,
    pub(super) look: Script,
    pub(super) commit: Script,
    pub(super) release: Script,
    pub(super) revoke: Script,
    pub(super) revoke_record: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let numbers = format!(
            "local KEPT, CLAIM, RETURNED = {KEPT_SECONDS}, {CLAIM_SECONDS}, {RETURNED_LEASES}\n\
             local BATCH, MORE = {BATCH}, {MORE}\n{INDICES}"
        );
        let plain = |text: &str| Script::new(&format!("{numbers}{text}"));
        let of_lease = |text: &str| Script::new(&format!("{numbers}{LEASES}{text}"));
        Self {
            mint: plain(MINT),
            reserve: of_lease(RESERVE),
            acquire: of_lease(ACQUIRE),
            look: of_lease(LOOK),
            commit: of_lease(COMMIT),
            release: of_lease(RELEASE),
            revoke: plain(REVOKE),
            revoke_record: plain(REVOKE_RECORD),
        }
    }
}
