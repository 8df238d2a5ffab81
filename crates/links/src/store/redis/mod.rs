//! [`RedisLinkStore`]: links that several processes share.

mod address;
mod connection;
mod scripts;

use std::sync::Arc;

use async_trait::async_trait;
use redis::aio::ConnectionLike;
use redis::{RedisResult, Script, ScriptInvocation};

use self::address::Address;
use self::connection::{Connection, Tries};
use self::scripts::{MORE, Scripts};
use super::{Lease, LeaseState, LinkStore, StoreError, StoredLink};
use crate::LinkId;

/// What the keys hold. Another layout gets another name: a script meets no key of an earlier version, which ends by itself.
const LAYOUT: &str = "v2";

/// Keeps links on a Redis or Valkey server (Redis 6.2 or later), or one that speaks its protocol.
///
/// Minting writes the uses that are left, and what is absent is spent: an entry that was flushed, evicted or lost
/// opens nothing. Redeeming is one script, atomic and one round trip. Entries end by themselves.
///
/// A connection that fails, or does not answer within two seconds, is replaced, and the request is sent once more over the new
/// one. So an idle connection that the server or a middlebox has closed, a restart and a fail-over cost no request, or the
/// requests of a few seconds. A request that fails twice is [`StoreError::Unavailable`].
///
/// What an operator has to know:
///
/// - `maxmemory-policy noeviction`: with another policy good links may be evicted, and are spent then.
/// - `appendonly yes` with `appendfsync always`: with less, a crash of the server may forget the last second, and a use that
///   was spent in it is left again.
/// - A fail-over to a replica may forget what the replica had not received, in the same way: replication is asynchronous.
///   `WAIT` narrows that and does not close it. Where one winner too many is not bearable, do without automatic fail-over.
/// - On Redis Cluster all keys are in one slot, since revoking a record touches the keys of all its links.
/// - The clocks of the application processes should agree to a second; the server's may be up to five minutes off.
#[derive(Clone)]
pub struct RedisLinkStore {
    connection: Arc<Connection>,
    prefix: String,
    scripts: Arc<Scripts>,
}

impl RedisLinkStore {
    /// Connects to the server at `url`. Keys begin with `secure-download:`.
    ///
    /// | URL | server |
    /// |---|---|
    /// | `redis://[user:password@]host[:port][/database]` | a server |
    /// | `rediss://...` | the same over TLS |
    /// | `unix:///path/to/socket[?db=..&user=..&pass=..]` | a server on this machine |
    /// | `redis+sentinel://[user:password@]host[:port][,host[:port]...]/service[/database]` | the master that these Sentinels name |
    /// | `rediss+sentinel://...` | the same, Sentinels and servers over TLS |
    ///
    /// Sentinels that ask for a password get `?sentinel_password=..`, with `&sentinel_username=..` before Redis's own users.
    /// Names and passwords are percent-encoded.
    ///
    /// TLS trusts the authorities of the system, or those in the file that `SSL_CERT_FILE` names. It uses the process's default
    /// provider of rustls. If none was installed, `connect` installs `ring`: an application that wants another one installs
    /// it before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the URL makes no sense, the server cannot be reached, or it asks for a password that the URL
    /// does not contain. Later the connection is made again whenever it is lost.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let address = Address::parse(url).map_err(unavailable)?;
        Self::connect_with(move || address.clone().connect()).await
    }

    /// Keeps links over connections that `connect` makes: of Redis Cluster, of a client with settings of its own, or a clone
    /// of a connection that the application has already. It is called now, and again whenever a connection has failed.
    ///
    /// A `MultiplexedConnection` or `ClusterConnection` that `connect` makes anew is better than a clone of a
    /// `ConnectionManager`: a manager does not replace a connection that is silent.
    ///
    /// ```no_run
    /// use secure_download_links::RedisLinkStore;
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = redis::Client::open("redis://127.0.0.1/")?;
    /// let store = RedisLinkStore::connect_with(move || {
    ///     let client = client.clone();
    ///     async move { client.get_multiplexed_async_connection().await }
    /// })
    /// .await?;
    /// # let _ = store; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if `connect` fails or takes longer than four seconds, or if the server asks for a
    /// password that `connect` did not give.
    pub async fn connect_with<C, F, Fut>(connect: F) -> Result<Self, StoreError>
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = RedisResult<C>> + Send + 'static,
    {
        let connection = Connection::new(connect);
        connection.ready().await.map_err(unavailable)?;
        Ok(Self {
            connection: Arc::new(connection),
            prefix: "secure-download:".to_owned(),
            scripts: Arc::new(Scripts::new()),
        })
    }

    /// Begins keys with `prefix`, for applications that share a server.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The key of `what`. The braces put all keys into one slot of a cluster.
    fn key(&self, kind: &str, what: impl std::fmt::Display) -> String {
        format!("{}{{links}}:{LAYOUT}:{kind}:{what}", self.prefix)
    }

    fn of_lease<'a>(&self, script: &'a Script, lease: Lease) -> ScriptInvocation<'a> {
        let mut script = script.key(self.key("link", lease.link));
        script.key(self.key("due", lease.link)).key(self.key("back", lease.link));
        script.arg(lease.lease.to_string());
        script
    }

    async fn run<T: redis::FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
        tries: Tries,
    ) -> Result<T, StoreError> {
        self.connection.run(script, tries).await.map_err(unavailable)
    }

    /// Runs a script until it has done all there is to do.
    async fn finish(&self, script: &ScriptInvocation<'_>) -> Result<u8, StoreError> {
        loop {
            let answer = self.run(script, Tries::Twice).await?;
            if answer != MORE {
                return Ok(answer);
            }
        }
    }

    async fn lease_state(&self, script: &Script, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        let state: String = self.run(self.of_lease(script, lease).arg(now), Tries::Twice).await?;
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
    /// Sent once: a request that arrives late would make a link anew that was revoked meanwhile.
    async fn mint(&self, link: StoredLink<'_>, now: u64) -> Result<(), StoreError> {
        let mut script = self.scripts.mint.key(self.key("link", link.id));
        script.key(self.key("record", link.record)).key(self.key("issuer", link.issuer));
        script.arg(link.uses.map(|uses| uses.to_string()).unwrap_or_default());
        script.arg(link.expires_at).arg(now).arg(link.issuer_limit);
        let made: bool = self.run(&script, Tries::Once).await?;
        if made { Ok(()) } else { Err(StoreError::IssuerLimit) }
    }

    async fn reserve(&self, lease: Lease, ends: u64, now: u64) -> Result<bool, StoreError> {
        let mut script = self.of_lease(&self.scripts.reserve, lease);
        Ok(self.finish(script.arg(now).arg(ends)).await? == 1)
    }

    async fn acquire(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        self.lease_state(&self.scripts.acquire, lease, now).await
    }

    async fn look(&self, lease: Lease, now: u64) -> Result<LeaseState, StoreError> {
        self.lease_state(&self.scripts.look, lease, now).await
    }

    async fn commit(&self, lease: Lease, now: u64) -> Result<bool, StoreError> {
        self.run(self.of_lease(&self.scripts.commit, lease).arg(now), Tries::Twice).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.run::<()>(&self.of_lease(&self.scripts.release, lease), Tries::Twice).await
    }

    async fn revoke(&self, link: LinkId) -> Result<(), StoreError> {
        self.run::<()>(&self.scripts.revoke.key(self.key("link", link)), Tries::Twice).await
    }

    async fn revoke_record(&self, record: &str) -> Result<(), StoreError> {
        let mut script = self.scripts.revoke_record.key(self.key("record", record));
        self.finish(script.arg(self.key("link", ""))).await.map(|_| ())
    }
}

impl std::fmt::Debug for RedisLinkStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLinkStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
