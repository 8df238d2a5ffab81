//! The demo on axum: `cargo run -p demo-axum`, then open the address it prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it tells its user where to go and what is wrong"
)]

mod extract;
mod linger;
mod log;
mod routes;
mod session;

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use demo::{Options, Proxy, Site};
use secure_download::axum::DownloadListener;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.print_policy {
        return match options.policy() {
            Ok(policy) => {
                println!("{policy}");
                ExitCode::SUCCESS
            }
            Err(problem) => {
                eprintln!("demo-axum: {problem}");
                ExitCode::from(2)
            }
        };
    }
    if let Err(problem) = options.check() {
        eprintln!("demo-axum: {problem}");
        return ExitCode::from(2);
    }
    demo::raise_descriptor_limit();
    match serve_until_stopped(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo-axum: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve_until_stopped(options: &Options) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        let stopped = stopped()?;
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
        let address = listener.local_addr()?;
        let site = Arc::new(Site::open(options).await?);
        if let Some(warning) = options.warning() {
            eprintln!("{warning}");
        }
        // Stopped when this block ends.
        let proxy = site.start_proxy(options, reachable(address))?;
        println!("listening on http://{}", reachable(proxy.as_ref().map_or(address, Proxy::address)));

        let stall = Duration::from_secs(options.stall_seconds.get());
        let listener = DownloadListener::new(listener).stall_timeout(stall);
        tokio::select! {
            served = axum::serve(listener, routes::router(site)) => Ok(served?),
            () = stopped => Ok(()),
        }
    });
    // Running downloads end here, and unfinished uploads are removed.
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}

/// The address to open in a browser.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(any) if any.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(any) if any.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Ends with Ctrl-C, or when the system asks the process to stop.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}
