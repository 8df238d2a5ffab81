//! Ours on axum.

use std::fs;
use std::future::IntoFuture as _;
use std::path::Path;

use axum::Router;
use benches::User;
use secure_download::axum::{DownloadListener, download, serve as own_loop};
use secure_download::{
    AccelRedirect, Dialect, Download, Gate, Mapping, ProxyConfig, ProxySecret, Root, Stream,
};
use tokio::net::TcpListener;

use crate::peers::serve_files;
use crate::{Files, announced, bound};

pub(crate) fn serve(gate: Gate<Option<User>, Download>) {
    serve_app(app(gate), bound());
}

/// With the library's own accept loop.
pub(crate) fn serve_lean(gate: Gate<Option<User>, Download>) {
    crate::runtime().block_on(async {
        let listener = DownloadListener::new(TcpListener::from_std(announced(bound())).expect("a listener"));
        let serving = tokio::spawn(own_loop(listener, app(gate)).into_future());
        serving.await.expect("no panic").expect("served");
    });
}

fn app(gate: Gate<Option<User>, Download>) -> Router {
    Router::new().route("/files/{id}", download(gate))
}

/// `/files/NAME` hands off, `/streamed/NAME` streams and `/served/NAME` is tower-http's `ServeFile`, behind an nginx that is
/// configured for it as documented, but with one worker and no log.
pub(crate) fn serve_handing_off(files: &Files, nginx: &str, run: &str) {
    let root = Root::new("/_protected/files", &files.folder).expect("a root");
    let mapping = Mapping::new([root]).expect("a mapping");
    let secret = ProxySecret::from_random(&[7; 32]);
    let accel = AccelRedirect::new(Dialect::Nginx, mapping.clone(), secret.clone());
    let guard = accel.guard();
    let streamed = Stream::local(&files.folder).expect("a folder");
    let app = Router::new()
        .route("/files/{id}", download(files.gate(accel)))
        .route("/streamed/{id}", download(files.gate(streamed)))
        .merge(serve_files(files, "/served"))
        .layer(guard);

    let listener = bound();
    let config = ProxyConfig::new(Dialect::Nginx, &mapping, &secret)
        .listen(nginx.parse::<std::net::SocketAddr>().expect("an address"))
        .app(listener.local_addr().expect("an address"))
        .standalone(run)
        .expect("a plain name");
    let config = config.render().replace("worker_processes auto", "worker_processes 1");
    let config: Vec<_> = config
        .lines()
        .map(|line| if line.trim_start().starts_with("access_log") { "access_log off;" } else { line })
        .collect();
    let config = config.join("\n").replace("http {", "http { keepalive_requests 100000000;");
    fs::write(Path::new(run).join("nginx.conf"), config).expect("written");
    serve_app(app, listener);
}

fn serve_app(app: Router, listener: std::net::TcpListener) {
    crate::runtime().block_on(async {
        let listener = DownloadListener::new(TcpListener::from_std(announced(listener)).expect("a listener"));
        // On a worker thread, as connections are.
        let serving = tokio::spawn(async { axum::serve(listener, app).await });
        serving.await.expect("no panic").expect("served");
    });
}
