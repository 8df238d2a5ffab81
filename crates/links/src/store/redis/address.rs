//! [`Address`]: where a URL says that the server is.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, RedisError,
    RedisResult, TlsMode,
};

/// Where Sentinels listen.
const SENTINEL_PORT: u16 = 26379;

/// Idle connections are tried so often: middleboxes then keep them, and a peer that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A server, or Sentinels that know which server it is at the moment.
#[derive(Clone)]
pub(super) enum Address {
    Server(Client),
    Sentinels { sentinels: Vec<ConnectionInfo>, service: String, server: SentinelNodeConnectionInfo },
}

impl Address {
    pub(super) fn parse(url: &str) -> RedisResult<Self> {
        let (address, encrypted) = if let Some(rest) = url.strip_prefix("redis+sentinel://") {
            (Self::sentinels(rest, "redis")?, false)
        } else if let Some(rest) = url.strip_prefix("rediss+sentinel://") {
            (Self::sentinels(rest, "rediss")?, true)
        } else {
            let info = url.into_connection_info()?.set_tcp_settings(settings());
            let encrypted = matches!(info.addr(), redis::ConnectionAddr::TcpTls { .. });
            (Self::Server(Client::open(info)?), encrypted)
        };
        if encrypted {
            choose_provider();
        }
        Ok(address)
    }

    /// `[user:password@]host[:port][,host[:port]]/service[/database][?sentinel_username=..&sentinel_password=..]`
    fn sentinels(rest: &str, scheme: &str) -> RedisResult<Self> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').ok_or_else(|| wrong("the service's name is missing"))?;
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (service, database) = path.split_once('/').unwrap_or((path, ""));
        if service.is_empty() {
            return Err(wrong("the service's name is missing"));
        }
        let (mut name, mut password) = ("", "");
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sentinel_username", value)) => name = value,
                Some(("sentinel_password", value)) => password = value,
                _ => return Err(wrong("only sentinel_username and sentinel_password may follow `?`")),
            }
        }
        let sentinel_user = if password.is_empty() { String::new() } else { format!("{name}:{password}@") };
        let sentinels = hosts.split(',').map(|host| {
            let port = if has_port(host) { String::new() } else { format!(":{SENTINEL_PORT}") };
            let info = format!("{scheme}://{sentinel_user}{host}{port}/").into_connection_info()?;
            Ok(info.set_tcp_settings(settings()))
        });
        let sentinels = sentinels.collect::<RedisResult<Vec<_>>>()?;
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        // The host is a stand-in: the Sentinels name it.
        let info = format!("redis://{user}localhost/{database}").into_connection_info()?;
        let mut server = SentinelNodeConnectionInfo::default()
            .set_redis_connection_info(info.redis_settings().clone())
            .set_tcp_settings(settings());
        if scheme == "rediss" {
            server = server.set_tls_mode(TlsMode::Secure);
        }
        Ok(Self::Sentinels { sentinels, service: service.to_owned(), server })
    }

    pub(super) async fn connect(self) -> RedisResult<MultiplexedConnection> {
        // The store keeps the time.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let client = match self {
            Self::Server(client) => client,
            Self::Sentinels { sentinels, service, server } => {
                let master = SentinelServerType::Master;
                SentinelClient::build(sentinels, service, Some(server), master)?.async_get_client().await?
            }
        };
        client.get_multiplexed_async_connection_with_config(&config).await
    }
}

fn has_port(host: &str) -> bool {
    let after_address = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after_address.contains(':')
}

fn settings() -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE / 3))
}

/// rustls panics where an application's crates bring two providers and none was chosen.
fn choose_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have chosen one now: that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn wrong(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, "Sentinel URL", why.to_owned()))
}
