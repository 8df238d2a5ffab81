//! A gate behind `axum::serve`, as an application runs it.

use std::net::SocketAddr;

use axum::Router;
use secure_download::axum::{DownloadListener, download};
use secure_download::{Catalog, Decision, DeliveryStrategy, Gate};
use tokio::net::TcpListener;

/// A gate that lets everybody download everything in the catalog.
pub fn allow_everybody<C: Catalog + 'static>(
    catalog: C,
    strategy: impl DeliveryStrategy + 'static,
) -> Gate<(), C::Record> {
    Gate::builder(catalog).authorizer(|(): &(), _: &C::Record| Decision::Allow).strategy(strategy).build()
}

/// Serves a gate under `/{id}` on a port of its own, HTTP/1.1 and HTTP/2, until the test ends.
///
/// # Panics
/// If there is no port.
pub async fn serve(gate: Gate<(), impl secure_download::Record + 'static>) -> SocketAddr {
    serve_router(Router::new().route("/{id}", download::<(), _>(gate))).await
}

/// Serves an application on a port of its own until the test ends.
///
/// # Panics
/// If there is no port.
pub async fn serve_router(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(DownloadListener::new(listener), app).await });
    address
}
