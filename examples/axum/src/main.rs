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

use demo::{Options, Site};
use mimalloc::MiMalloc;
use secure_download::axum::{DownloadListener, serve};
use tokio::net::TcpListener;
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
        let stopped = demo::stopped()?;
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
        let address = listener.local_addr()?;
        let site = Arc::new(Site::open(options).await?);
        // Stopped when this block ends.
        let _proxy = demo::announce(&site, options, address)?;

        let stall = Duration::from_secs(options.stall_seconds.get());
        let listener = DownloadListener::new(listener).stall_timeout(stall);
        tokio::select! {
            never = serve(listener, routes::router(site)) => match never {},
            () = stopped => Ok(()),
        }
    });
    // Running downloads end here, and unfinished uploads are removed.
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}
