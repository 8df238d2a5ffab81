//! [`Azurite`]: a real server of Azure's blob protocol.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use object_store::ObjectStore;
use object_store::azure::MicrosoftAzureBuilder;
use sha2::Sha256;

use crate::children::{Running, free_ports, wait_for};
use crate::fetch;

const ACCOUNT: &str = "devstoreaccount1";
const CONTAINER: &str = "private";
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
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let program = root.join("target/tools/npm/node_modules/.bin/azurite-blob");
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_ports(1);
        let mut command = Command::new(program);
        command
            .args(["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1"])
            .args(["--blobPort", &port.to_string(), "--location"])
            .arg(folder.path());
        let server = Running::start(command, &folder.path().join("azurite.log"));
        wait_for("Azurite", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let endpoint = format!("http://127.0.0.1:{port}");
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

/// Create Container, authorised by Shared Key.
async fn create_container(endpoint: &str) {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
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
