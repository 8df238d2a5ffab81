//! Starting and stopping, the same for every application.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it tells its user where to go and what is wrong"
)]

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal;

use crate::{Options, Proxy, Site, StartError, raise_descriptor_limit};

/// The `main` of the application `program`: reads the command line, lets `serve` do the work until it is stopped, and says
/// what went wrong.
pub fn run(program: &str, serve: impl FnOnce(&Options) -> Result<(), Box<dyn Error>>) -> ExitCode {
    let options = Options::parse();
    let misused = |problem: String| {
        eprintln!("{program}: {problem}");
        ExitCode::from(2)
    };
    if options.print_policy {
        return match options.policy() {
            Ok(policy) => {
                println!("{policy}");
                ExitCode::SUCCESS
            }
            Err(problem) => misused(problem),
        };
    }
    if let Err(problem) = options.check() {
        return misused(problem);
    }
    raise_descriptor_limit();
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says where to go, once the application listens at `app`. With `--strategy accel` that is the reverse proxy, which runs until
/// the returned value is dropped.
///
/// # Errors
/// [`StartError`] if there is no proxy.
pub fn announce(site: &Site, options: &Options, app: SocketAddr) -> Result<Option<Proxy>, StartError> {
    if let Some(warning) = options.warning() {
        eprintln!("{warning}");
    }
    let proxy = site.start_proxy(options, reachable(app))?;
    println!("listening on http://{}", reachable(proxy.as_ref().map_or(app, Proxy::address)));
    Ok(proxy)
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
///
/// # Errors
/// If the signals cannot be awaited.
pub fn stopped() -> io::Result<impl Future<Output = ()>> {
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
