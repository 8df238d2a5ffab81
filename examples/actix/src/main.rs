//! The demo on actix-web: `cargo run -p demo-actix`, then open the address it prints.
#![expect(clippy::future_not_send, reason = "actix answers a request on the thread that took it")]
#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method's type is not among actix-web's own"
)]

mod extract;
mod log;
mod routes;
mod session;

use std::error::Error;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use actix_web::rt::System;
use actix_web::web::Data;
use demo::{Options, Site};
use mimalloc::MiMalloc;
use secure_download::actix::DownloadServer;

/// Of thousands of connections glibc's allocator holds a third more, and what sign-ins needed it holds for ever.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    demo::run("demo-actix", |options| System::new().block_on(serve_until_stopped(options)))
}

async fn serve_until_stopped(options: &Options) -> Result<(), Box<dyn Error>> {
    let stopped = demo::stopped()?;
    let listener = TcpListener::bind(options.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let address = listener.local_addr()?;
    let site = Data::new(Site::open(options).await?);
    let app = {
        let site = site.clone();
        move || routes::app(site.clone())
    };
    let server = DownloadServer::new(app)
        .stall_timeout(Duration::from_secs(options.stall_seconds.get()))
        .configure(|server| server.disable_signals())
        .listen(listener)?;
    // Stopped when this function ends.
    let _proxy = demo::announce(&site, options, address)?;

    let handle = server.handle();
    tokio::select! {
        served = server => Ok(served?),
        () = stopped => {
            // Running downloads end here, and unfinished uploads are removed.
            handle.stop(false).await;
            Ok(())
        }
    }
}
