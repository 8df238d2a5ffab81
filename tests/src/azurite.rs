//! [`Azurite`]: a real server of Azure's blob protocol.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use object_store::ObjectStore;
use object_store::azure::MicrosoftAzureBuilder;
use secure_download::AzureDelegationKey;
use sha2::Sha256;

use crate::children::{Running, free_ports};
use crate::masked::{CertificateAuthority, TlsRelay};
use crate::{fetch, fetch_with};

const ACCOUNT: &str = "devstoreaccount1";
const CONTAINER: &str = "private";
/// Somebody, somewhere.
const USER: &str = "11111111-1111-1111-1111-111111111111";
const TENANT: &str = "22222222-2222-2222-2222-222222222222";
/// Every Azurite's, published by Microsoft.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Azurite on a loopback port.
#[derive(Debug)]
pub struct Azurite {
    endpoint: String,
    _server: Running,
    _folder: tempfile::TempDir,
}

impl Azurite {
    /// Starts one with an empty private container.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start() -> Self {
        Self::run(&[], |address| async move { address }).await
    }

    /// Starts one that takes tokens of users too, which it does by TLS only: reached through a relay without.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn with_users() -> Self {
        let authority = CertificateAuthority::new();
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = authority.files("localhost", folder.path());
        let (certificate, key) = (certificate.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
        Self::run(&["--oauth", "basic", "--cert", certificate, "--key", key], |address| async move {
            TlsRelay::start("localhost", address, &authority).await
        })
        .await
    }

    async fn run<F>(more: &[&str], reached: impl FnOnce(SocketAddr) -> F) -> Self
    where
        F: Future<Output = SocketAddr>,
    {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let program = root.join("target/tools/npm/node_modules/.bin/azurite-blob");
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_ports(1);
        let mut command = Command::new(program);
        command
            .args(["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1"])
            .args(["--blobPort", &port.to_string()])
            .args(more)
            .arg("--location")
            .arg(folder.path());
        let mut server = Running::start(command, &folder.path().join("azurite.log"));
        server.wait_until("Azurite", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let address = reached((Ipv4Addr::LOCALHOST, port).into()).await;
        let endpoint = format!("http://{address}");
        create_container(&endpoint).await;
        Self { endpoint, _server: server, _folder: folder }
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Account, key and container.
    #[must_use]
    pub fn account(&self) -> (&'static str, &'static str, &'static str) {
        (ACCOUNT, KEY, CONTAINER)
    }

    /// Get User Delegation Key, asked by a user whose token nobody signed: Azurite looks at what it says only.
    ///
    /// # Panics
    /// If there is none.
    pub async fn delegated_key(&self, start: SystemTime, end: SystemTime) -> AzureDelegationKey {
        let asked = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>{}</Start><Expiry>{}</Expiry></KeyInfo>",
            rfc3339(start),
            rfc3339(end)
        );
        let part = |claims: &str| Base64UrlUnpadded::encode_string(claims.as_bytes());
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let claims = format!(
            "{{\"aud\":\"https://storage.azure.com\",\"iss\":\"https://sts.windows.net/{TENANT}/\",\"tid\":\"{TENANT}\",\
             \"oid\":\"{USER}\",\"nbf\":{0},\"iat\":{0},\"exp\":{1},\"ver\":\"1.0\"}}",
            seconds(start),
            seconds(end)
        );
        let token =
            format!("{}.{}.{}", part("{\"typ\":\"JWT\",\"alg\":\"RS256\"}"), part(&claims), part("none"));
        let answer = fetch_with(
            "POST",
            &format!("{}/{ACCOUNT}/?restype=service&comp=userdelegationkey", self.endpoint),
            &[&format!("authorization: Bearer {token}"), "x-ms-version: 2023-11-03"],
            asked,
        )
        .await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{text}");
        let field = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}"));
            rest.split('<').next().unwrap_or_default().to_owned()
        };
        AzureDelegationKey::new(
            field("SignedOid"),
            field("SignedTid"),
            start,
            end,
            field("SignedVersion"),
            field("Value"),
        )
    }

    /// A client of the container.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        let store = MicrosoftAzureBuilder::new()
            .with_account(ACCOUNT)
            .with_access_key(KEY)
            .with_container_name(CONTAINER)
            .with_endpoint(format!("{}/{ACCOUNT}", self.endpoint))
            .with_allow_http(true)
            .build();
        Arc::new(store.expect("a client"))
    }
}

fn rfc3339(time: SystemTime) -> String {
    let text = httpdate::fmt_http_date(time);
    // `Sun, 06 Nov 1994 08:49:37 GMT`, RFC 9110 section 5.6.7.
    let part = |from: usize, to: usize| &text[from..to];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| *month == part(8, 11)).expect("a month") + 1;
    format!("{}-{month:02}-{}T{}Z", part(12, 16), part(5, 7), part(17, 25))
}

/// Create Container, authorised by Shared Key.
async fn create_container(endpoint: &str) {
    let date = httpdate::fmt_http_date(SystemTime::now());
    // The verb, and eleven header fields of which none is sent.
    let text = format!(
        "PUT{}x-ms-date:{date}\nx-ms-version:2023-11-03\n/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container",
        "\n".repeat(12)
    );
    let key = Base64::decode_vec(KEY).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(text.as_bytes());
    let signature = Base64::encode_string(&mac.finalize().into_bytes());
    let answer = fetch(
        "PUT",
        &format!("{endpoint}/{ACCOUNT}/{CONTAINER}?restype=container"),
        &[
            &format!("x-ms-date: {date}"),
            "x-ms-version: 2023-11-03",
            &format!("authorization: SharedKey {ACCOUNT}:{signature}"),
            "content-length: 0",
        ],
    )
    .await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
}
