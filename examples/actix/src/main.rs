//! The demo on actix-web: `cargo run -p demo-actix`, then open the address it prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it tells its user where to go and what is wrong"
)]

mod extract;
mod log;
mod routes;
mod session;

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use actix_web::rt::{System, signal};
use actix_web::web::Data;
use clap::Parser as _;
use demo::{Options, Site};
use secure_download::actix::DownloadServer;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(problem) = options.check() {
        eprintln!("demo-actix: {problem}");
        return ExitCode::from(2);
    }
    demo::raise_descriptor_limit();
    match System::new().block_on(serve_until_stopped(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo-actix: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve_until_stopped(options: &Options) -> Result<(), Box<dyn Error>> {
    let stopped = stopped()?;
    let listener = TcpListener::bind(options.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let address = listener.local_addr()?;
    let site = Data::new(Site::open(options).await?);
    let server = DownloadServer::new(move || routes::app(site.clone()))
        .stall_timeout(Duration::from_secs(options.stall_seconds.get()))
        // Ctrl-C is this program's own, which ends running downloads at once.
        .configure(|server| server.disable_signals())
        .listen(listener)?;
    if let Some(warning) = options.warning() {
        eprintln!("{warning}");
    }
    println!("listening on http://{}", reachable(address));

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
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = signal::ctrl_c().await;
    })
}
