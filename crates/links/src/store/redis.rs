//! [`RedisLinkStore`]: links that several processes share.

use std::time::Duration;

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Script, ScriptInvocation};

use super::{Lease, LeaseState, LinkStore, StoreError, StoredLink};
use crate::LinkId;

/// No answer for so long is none: the request is refused with 503.
const PATIENCE: Duration = Duration::from_secs(2);

/// Entries stay a little longer than they are good for, so that the application's clock decides and not the server's.
const GRACE: u64 = 300;

/// What the scripts share. A link is a hash: `l` uses left (absent: unlimited), `e` expiry, `r` the key of its record's set, and a
/// field for each lease: one letter for its state (`h`eld, `s`pent, `r`eleased) and when it ends.
const SHARED: &str = r"
local function left() return tonumber(redis.call('HGET', KEYS[1], 'l')) end
local function take()
  local n = left()
  if n == 0 then return false end
  if n then redis.call('HINCRBY', KEYS[1], 'l', -1) end
  return true
end
local function give()
  if left() then redis.call('HINCRBY', KEYS[1], 'l', 1) end
end
local function lease(id)
  local v = redis.call('HGET', KEYS[1], id)
  if not v then return nil end
  return string.sub(v, 1, 1), tonumber(string.sub(v, 2))
end
local function set(id, state, ends) redis.call('HSET', KEYS[1], id, state .. string.format('%d', ends)) end
local function state(id, now, taking)
  local s, ends = lease(id)
  if not s or now >= ends then return 'g' end
  if s == 'r' then
    if left() == 0 then return 'g' end
    if taking then take() set(id, 'h', ends) end
    return 'h'
  end
  return s
end
";

const MINT: &str = r"
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], 'l', ARGV[1]) end
redis.call('HSET', KEYS[1], 'e', ARGV[2], 'r', KEYS[2])
redis.call('EXPIREAT', KEYS[1], ARGV[3])
redis.call('SADD', KEYS[2], KEYS[1])
if redis.call('TTL', KEYS[2]) < 0 then redis.call('EXPIREAT', KEYS[2], ARGV[3])
else redis.call('EXPIREAT', KEYS[2], ARGV[3], 'GT') end
return 1
";

const RESERVE: &str = r"
local now, ends = tonumber(ARGV[2]), tonumber(ARGV[3])
local e = tonumber(redis.call('HGET', KEYS[1], 'e'))
if not e then return 0 end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if #all[i] == 32 and tonumber(string.sub(all[i + 1], 2)) <= now then
    if string.sub(all[i + 1], 1, 1) == 'h' then give() end
    redis.call('HDEL', KEYS[1], all[i])
  end
end
if now >= e or not take() then return 0 end
set(ARGV[1], 'h', ends)
redis.call('EXPIREAT', KEYS[1], ARGV[4], 'GT')
local r = redis.call('HGET', KEYS[1], 'r')
redis.call('EXPIREAT', r, ARGV[4], 'GT')
return 1
";

const ACQUIRE: &str = "return state(ARGV[1], tonumber(ARGV[2]), true)";

const LOOK: &str = "return state(ARGV[1], tonumber(ARGV[2]), false)";

const COMMIT: &str = r"
if state(ARGV[1], tonumber(ARGV[2]), true) == 'g' then return 0 end
local s, ends = lease(ARGV[1])
set(ARGV[1], 's', ends)
return 1
";

const RELEASE: &str = r"
local s, ends = lease(ARGV[1])
if s == 'h' then
  set(ARGV[1], 'r', ends)
  give()
end
return 1
";

const REVOKE: &str = r"
local r = redis.call('HGET', KEYS[1], 'r')
if r then redis.call('SREM', r, KEYS[1]) end
return redis.call('DEL', KEYS[1])
";

const REVOKE_RECORD: &str = r"
for _, link in ipairs(redis.call('SMEMBERS', KEYS[1])) do redis.call('DEL', link) end
return redis.call('DEL', KEYS[1])
";

/// Keeps links on a Redis server (6.2 or later), or one that speaks its protocol.
///
/// Minting writes the uses that are left, and what is absent is spent: an entry that was flushed, evicted or lost
/// opens nothing. Redeeming is one script, atomic and one round trip. Entries end by themselves.
///
/// What an operator has to know:
///
/// - `maxmemory-policy noeviction`: with another policy good links may be evicted, and are spent then.
/// - `appendonly yes` with `appendfsync always`: with less, a crash of the server may forget the last second, and a use that
///   was spent in it is left again.
/// - A fail-over to a replica may forget what the replica had not received, in the same way: replication is asynchronous.
///   `WAIT` narrows that and does not close it. Where one winner too many is not bearable, do without automatic fail-over.
/// - Not for Redis Cluster: revoking a record touches the keys of all its links.
/// - The clocks of the application processes should agree to a second; the server's may be up to five minutes off.
#[derive(Clone)]
pub struct RedisLinkStore {
    connection: ConnectionManager,
    prefix: String,
    scripts: std::sync::Arc<Scripts>,
}

struct Scripts {
    mint: Script,
    reserve: Script,
    acquire: Script,
    look: Script,
    commit: Script,
    release: Script,
    revoke: Script,
    revoke_record: Script,
}

impl RedisLinkStore {
    /// Connects to the server at `url` (`redis://[user:password@]host[:port][/database]`). Keys begin with `secure-download:`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the URL makes no sense or the server cannot be reached. Later the connection is
    /// made again by itself whenever it is lost.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let client = Client::open(url).map_err(unavailable)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = client.get_connection_manager_with_config(config).await.map_err(unavailable)?;
        let script = |text: &str| Script::new(&format!("{SHARED}{text}"));
        let scripts = Scripts {
            mint: Script::new(MINT),
            reserve: script(RESERVE),
            acquire: script(ACQUIRE),
            look: script(LOOK),
            commit: script(COMMIT),
            release: script(RELEASE),
            revoke: Script::new(REVOKE),
            revoke_record: Script::new(REVOKE_RECORD),
        };
        Ok(Self { connection, prefix: "secure-download:".to_owned(), scripts: scripts.into() })
    }

    /// Begins keys with `prefix`, for applications that share a server.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    fn link_key(&self, link: LinkId) -> String {
        format!("{}link:{link}", self.prefix)
    }

    fn record_key(&self, record: &str) -> String {
        format!("{}record:{record}", self.prefix)
    }

    async fn run<T: redis::FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let mut connection = self.connection.clone();
        script.invoke_async(&mut connection).await.map_err(unavailable)
    }

    async fn lease_state(&self, script: &Script, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        let mut script = script.key(self.link_key(lease.link));
        let state: String = self.run(script.arg(lease.lease.to_string()).arg(now)).await?;
        Ok(match state.as_str() {
            "h" => LeaseState::Held,
            "s" => LeaseState::Committed,
            _ => LeaseState::Gone,
        })
    }
}

fn unavailable(error: redis::RedisError) -> StoreError {
    StoreError::Unavailable(error.into())
}

#[async_trait]
impl LinkStore for RedisLinkStore {
    async fn mint(&self, link: StoredLink<'_>, _: u64) -> Result<(), StoreError> {
        let mut script = self.scripts.mint.key(self.link_key(link.id));
        let uses = link.uses.map(|uses| uses.to_string()).unwrap_or_default();
        let forgotten = link.expires_at.saturating_add(GRACE);
        script.key(self.record_key(link.record)).arg(uses).arg(link.expires_at).arg(forgotten);
        self.run::<()>(&script).await
    }

    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, StoreError> {
        let mut script = self.scripts.reserve.key(self.link_key(lease.link));
        script.arg(lease.lease.to_string()).arg(now).arg(ends).arg(ends.saturating_add(GRACE));
        self.run(&script).await
    }

    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        self.lease_state(&self.scripts.acquire, lease, now).await
    }

    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        self.lease_state(&self.scripts.look, lease, now).await
    }

    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, StoreError> {
        let mut script = self.scripts.commit.key(self.link_key(lease.link));
        self.run(script.arg(lease.lease.to_string()).arg(now)).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let mut script = self.scripts.release.key(self.link_key(lease.link));
        self.run::<()>(script.arg(lease.lease.to_string())).await
    }

    async fn revoke(&self, link: LinkId) -> Result<(), StoreError> {
        self.run::<()>(&self.scripts.revoke.key(self.link_key(link))).await
    }

    async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        self.run::<()>(&self.scripts.revoke_record.key(self.record_key(record))).await
    }
}

impl std::fmt::Debug for RedisLinkStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLinkStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
