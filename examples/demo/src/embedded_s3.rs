//! A small S3 server inside this program, so that `--strategy presign` needs nothing else. It really verifies
//! signatures and their end.

use std::io;
use std::path::Path;
use std::time::Duration;

use http::header::{ACCEPT_RANGES, HeaderValue};
use http::{Method, Request};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use secure_download::BoxError;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ids;

/// How long a client may take for the head of a request, and wait before it sends the next one.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the server rests when no connection can be accepted, as without a free descriptor.
const PAUSE: Duration = Duration::from_millis(100);

/// A running server, ended when dropped.
#[derive(Debug)]
pub(crate) struct EmbeddedS3 {
    endpoint: String,
    access_key: String,
    secret_key: String,
    /// Whether it accepts connections, lets the last requests finish, or is over.
    stage: watch::Sender<Stage>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    Finishing,
    Over,
}

impl EmbeddedS3 {
    /// Serves the folders in `root` as buckets, on a loopback port, for one user with a fresh secret.
    pub(crate) async fn start(root: &Path) -> Result<Self, BoxError> {
        Self::start_with(root, PATIENCE).await
    }

    async fn start_with(root: &Path, patience: Duration) -> Result<Self, BoxError> {
        let (access_key, secret_key) = (ids::storage_key(), ids::session_id());
        let files =
            s3s_fs::FileSystem::new(root).map_err(|error| format!("no embedded S3 server: {error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(access_key.as_str(), secret_key.as_str()));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let stage = watch::Sender::new(Stage::Serving);
        let (over, mut told) = (stage.clone(), stage.subscribe());
        let task = tokio::spawn(async move {
            let running = GracefulShutdown::new();
            loop {
                let stream = tokio::select! {
                    (stream, _) = accepted(|| listener.accept()) => stream,
                    _ = told.wait_for(|stage| *stage != Stage::Serving) => break,
                };
                let service = service.clone();
                // As S3 does: a player that is not told seeks no further than it has read.
                let service = service_fn(move |request: Request<Incoming>| {
                    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
                    let answer = Service::call(&service, request);
                    async move {
                        let mut response = answer.await?;
                        if reads && response.status().is_success() {
                            response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
                        }
                        Ok::<_, s3s::HttpError>(response)
                    }
                });
                // Which version it is, a client may take for ever to say.
                let mut server = Builder::new(TokioExecutor::new()).http1_only();
                server.http1().timer(TokioTimer::new()).header_read_timeout(patience);
                let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
                let connection = running.watch(connection);
                tokio::spawn(async move {
                    let _ = connection.await;
                });
            }
            drop(listener);
            running.shutdown().await;
            over.send_replace(Stage::Over);
        });
        Ok(Self { endpoint, access_key, secret_key, stage, task })
    }

    /// Accepts no connection any more; ready once the last response has left.
    pub(crate) async fn finish(&self) {
        self.stage.send_if_modified(|stage| {
            let serves = *stage == Stage::Serving;
            if serves {
                *stage = Stage::Finishing;
            }
            serves
        });
        // Only this server sends, so the wait cannot fail.
        let _ = self.stage.subscribe().wait_for(|stage| *stage == Stage::Over).await;
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

/// The next connection that `accept` yields. Errors such as a lack of descriptors pass.
async fn accepted<T, F: Future<Output = io::Result<T>>>(accept: impl Fn() -> F) -> T {
    loop {
        match accept().await {
            Ok(connection) => return connection,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

impl Drop for EmbeddedS3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rests_while_nothing_can_be_accepted() {
        let (started, tries) = (Instant::now(), Cell::new(0_u32));
        let connection = accepted(|| {
            tries.set(tries.get() + 1);
            let full = tries.get() <= 50;
            async move { if full { Err(io::Error::from_raw_os_error(24)) } else { Ok("a connection") } }
        });
        assert_eq!(connection.await, "a connection");
        // By the test's own clock, which only rests move.
        assert!(started.elapsed() >= 50 * PAUSE, "{} tries in {:?}", tries.get(), started.elapsed());
    }

    #[tokio::test]
    async fn connections_without_a_whole_head_are_closed() {
        let root = std::env::temp_dir().join(format!("demo-embedded-s3-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("a folder");
        let server = EmbeddedS3::start_with(&root, Duration::from_millis(50)).await.expect("a server");
        let address = server.endpoint().trim_start_matches("http://").to_owned();
        for sent in [
            &b""[..],
            b"GET / HT",
            b"PRI * HTTP/2.0\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            let mut stream = TcpStream::connect(&address).await.expect("connected");
            stream.write_all(sent).await.expect("sent");
            let mut answer = Vec::new();
            // Far below the 30 seconds of the program, far above what this test asks for.
            let ended = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "still open after {:?}", String::from_utf8_lossy(sent));
            assert_eq!(sent.ends_with(b"\r\n\r\n"), answer.starts_with(b"HTTP/1.1 403"), "{answer:?}");
        }
        drop(server);
        std::fs::remove_dir_all(&root).expect("removed");
    }
}
