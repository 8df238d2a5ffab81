//! The demo on actix-web: `cargo run -p demo-actix`, then open the address it prints.
#![expect(clippy::future_not_send, reason = "actix answers a request on the thread that took it")]

mod early;
mod extract;
mod log;
mod routes;
mod session;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use actix_web::rt::System;
use actix_web::rt::time::sleep;
use actix_web::web::Data;
use demo::{Options, Signals, Site};
use mimalloc::MiMalloc;
use secure_download::actix::{DownloadServer, ListeningSocket};

/// Of thousands of connections glibc's allocator holds a third more, and what sign-ins needed it holds for ever.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long a client that has just connected may take for its request once the demo is told to end.
const LATE_START: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    demo::run("demo-actix", |options| System::new().block_on(serve_until_stopped(options)))
}

async fn serve_until_stopped(options: &Options) -> Result<(), Box<dyn Error>> {
    let signals = Signals::listen()?;
    let socket = ListeningSocket::bind(&options.listen.to_string())
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let site = Data::new(Site::open(options).await?);
    // Stopped when this function ends.
    let mut proxy = demo::announce(&site, options, socket.tcp_address())?;
    let app = {
        let site = site.clone();
        move || routes::app(site.clone())
    };
    let mut server = DownloadServer::new(app)
        .stall_timeout(Duration::from_secs(options.stall_seconds.get()))
        .configure(|server| server.disable_signals().shutdown_timeout(options.drain))
        .listen(socket)?;

    let handle = server.handle();
    let finished = async {
        tokio::select! {
            served = &mut server => return served,
            () = site.drained(signals.count(1), options.listen.is_inherited()) => {}
        }
        let stop = async {
            if options.listen.is_inherited() {
                // The next process accepts from now on. actix closes connections that have sent no request when it stops:
                // those that this process has accepted get the time to send theirs.
                handle.pause().await;
                sleep(LATE_START).await;
            }
            handle.stop(true).await;
        };
        let ((), served) = tokio::join!(stop, &mut server);
        if let Some(proxy) = &mut proxy {
            proxy.finish().await;
        }
        site.finish_store().await;
        served
    };
    tokio::select! {
        served = finished => served?,
        () = site.drain_is_over() => {}
        () = signals.count(2) => {}
    }
    // Downloads that are left end here, and unfinished uploads are removed.
    Ok(())
}
