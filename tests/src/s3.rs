//! [`S3Server`]: a real S3 server, embedded, over a folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const BUCKET: &str = "private";
const ACCESS_KEY: &str = "access-key";
const SECRET_KEY: &str = "secret-key";

/// s3s-fs on a loopback port. It verifies signatures and ignores `If-Match` on GET, as some real stores do.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    root: tempfile::TempDir,
    task: JoinHandle<()>,
}

impl S3Server {
    /// Starts one with an empty bucket.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join(BUCKET)).expect("a bucket");
        let file_system = s3s_fs::FileSystem::new(root.path()).expect("a file system");
        let mut service = S3ServiceBuilder::new(file_system);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, root, task }
    }

    /// The folder whose files are the bucket's objects.
    #[must_use]
    pub fn bucket(&self) -> PathBuf {
        self.root.path().join(BUCKET)
    }

    /// The folder that holds the buckets.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bucket's name, and the access key and secret of its user.
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
        self.store_with_secret(SECRET_KEY)
    }

    /// A client that signs with another secret.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn store_with_secret(&self, secret: &str) -> Arc<dyn ObjectStore> {
        let store = AmazonS3Builder::new()
            .with_endpoint(format!("http://{}", self.address))
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(BUCKET)
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(secret)
            .with_retry(object_store::RetryConfig { max_retries: 0, ..Default::default() })
            .build();
        Arc::new(store.expect("a client"))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
