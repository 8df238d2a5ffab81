//! A small S3 server inside this program, so that `--strategy presign` needs nothing else. It really verifies
//! signatures and their end.

use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use secure_download::BoxError;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::ids;

/// A running server, ended when dropped.
#[derive(Debug)]
pub(crate) struct EmbeddedS3 {
    endpoint: String,
    access_key: String,
    secret_key: String,
    task: JoinHandle<()>,
}

impl EmbeddedS3 {
    /// Serves the folders in `root` as buckets, on a loopback port, for one user with a fresh secret.
    pub(crate) async fn start(root: &Path) -> Result<Self, BoxError> {
        let (access_key, secret_key) = (ids::storage_key(), ids::session_id());
        let files =
            s3s_fs::FileSystem::new(root).map_err(|error| format!("no embedded S3 server: {error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(access_key.as_str(), secret_key.as_str()));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let task = tokio::spawn(async move {
            loop {
                // Out of descriptors for a moment: the next connection may fare better.
                let Ok((stream, _)) = listener.accept().await else { continue };
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { endpoint, access_key, secret_key, task })
    }

    /// Scheme, host and port.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The access key and secret of the one user.
    pub(crate) fn user(&self) -> (&str, &str) {
        (&self.access_key, &self.secret_key)
    }
}

impl Drop for EmbeddedS3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}
