//! [`Garage`]: a store of Deuxfleurs' Garage, on one node.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;

use crate::children::{Running, free_ports, output};

/// Names the program. It takes ten minutes to build, so its test runs by name only: see `CONTRIBUTING.md`.
const PROGRAM: &str = "GARAGE";

const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const BUCKET: &str = "private";

/// Garage on loopback ports, with a bucket and a key that may read and write it.
#[derive(Debug)]
pub struct Garage {
    endpoint: String,
    _server: Running,
    _folder: tempfile::TempDir,
}

impl Garage {
    /// Starts one: the program that the variable `GARAGE` names.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let program = PathBuf::from(std::env::var_os(PROGRAM).expect("GARAGE names the program"));
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_ports(4);
        let config = folder.path().join("garage.toml");
        let at = folder.path().display();
        let text = format!(
            "metadata_dir = \"{at}/meta\"\ndata_dir = \"{at}/data\"\ndb_engine = \"sqlite\"\nreplication_factor = 1\n\
             rpc_bind_addr = \"127.0.0.1:{0}\"\nrpc_public_addr = \"127.0.0.1:{0}\"\nrpc_secret = \"{SECRET_KEY}\"\n\
             [s3_api]\ns3_region = \"garage\"\napi_bind_addr = \"127.0.0.1:{1}\"\n\
             [admin]\napi_bind_addr = \"127.0.0.1:{2}\"\n",
            port,
            port + 1,
            port + 2
        );
        fs::write(&config, text).expect("written");
        let garage = |arguments: &[&str]| {
            let mut command = Command::new(&program);
            command.arg("-c").arg(&config).args(arguments);
            command
        };
        let mut server = Running::start(garage(&["server"]), &folder.path().join("garage.log"));
        let run = |arguments: &[&str]| output(&mut garage(arguments));
        server.wait_until("Garage", || run(&["node", "id", "-q"]).is_ok() && run(&["status"]).is_ok());
        let node = run(&["node", "id", "-q"]).expect("a node");
        let node = node.split('@').next().unwrap_or_default().trim().to_owned();
        for arguments in [
            &["layout", "assign", "-z", "dc1", "-c", "1G", &node][..],
            &["layout", "apply", "--version", "1"],
            &["key", "import", "--yes", "-n", "app", ACCESS_KEY, SECRET_KEY],
            &["bucket", "create", BUCKET],
            &["bucket", "allow", "--read", "--write", "--owner", BUCKET, "--key", "app"],
        ] {
            run(arguments).unwrap_or_else(|said| panic!("garage {arguments:?}: {said}"));
        }
        Self { endpoint: format!("http://127.0.0.1:{}", port + 1), _server: server, _folder: folder }
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The bucket, and the access key and secret of its user.
    #[must_use]
    pub fn names(&self) -> (&'static str, &'static str, &'static str) {
        (BUCKET, ACCESS_KEY, SECRET_KEY)
    }

    /// A client of the bucket.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        let store = AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_region("garage")
            .with_bucket_name(BUCKET)
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(SECRET_KEY)
            .build();
        Arc::new(store.expect("a client"))
    }
}
