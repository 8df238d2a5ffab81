//! The demo on axum: `cargo run -p demo-axum`, then open the address it prints.

mod extract;
mod linger;
mod log;
mod routes;
mod session;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use demo::{Options, Signals, Site};
use mimalloc::MiMalloc;
use secure_download::axum::{DownloadListener, ListeningSocket, serve};
use tokio::runtime::Runtime;

/// Of thousands of connections glibc's allocator holds a third more, and what sign-ins needed it holds for ever.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    demo::run("demo-axum", serve_until_stopped)
}

fn serve_until_stopped(options: &Options) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        let signals = Signals::listen()?;
        let socket = ListeningSocket::bind(&options.listen.to_string())
            .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
        let site = Arc::new(Site::open(options).await?);
        // Stopped when this block ends.
        let mut proxy = demo::announce(&site, options, socket.tcp_address())?;

        let stall = Duration::from_secs(options.stall_seconds.get());
        let listener = DownloadListener::try_from(socket)?.stall_timeout(stall);
        let drained = {
            let (site, signals, inherited) =
                (Arc::clone(&site), signals.clone(), options.listen.is_inherited());
            async move { site.drained(signals.count(1), inherited).await }
        };
        let server = serve(listener, routes::router(Arc::clone(&site)))
            .with_graceful_shutdown(drained)
            .shutdown_deadline(site.longest_drain());
        let finished = async {
            server.await?;
            if let Some(proxy) = &mut proxy {
                proxy.finish().await;
            }
            site.finish_store().await;
            Ok(())
        };
        tokio::select! {
            finished = finished => finished,
            () = site.drain_is_over() => Ok(()),
            () = signals.count(2) => Ok(()),
        }
    });
    // Downloads that are left end here, and unfinished uploads are removed.
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}
