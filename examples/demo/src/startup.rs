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
use tokio::sync::watch;

use crate::{Options, Proxy, Site, StartError, audit, private, raise_descriptor_limit};

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
    private::close_new_files();
    let served = serve(&options);
    audit::flush();
    match served {
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
pub fn announce(
    site: &Site,
    options: &Options,
    app: Option<SocketAddr>,
) -> Result<Option<Proxy>, StartError> {
    options.check_address(app).map_err(StartError::new)?;
    if let Some(warning) = options.warning() {
        eprintln!("{warning}");
    }
    let proxy = app.map(|app| site.start_proxy(options, reachable(app))).transpose()?.flatten();
    let here = match proxy.as_ref().map(Proxy::address).or(app) {
        Some(address) => format!("http://{}", reachable(address)),
        None => options.listen.to_string(),
    };
    match &options.public_url {
        Some(url) => {
            eprintln!("a proxy brings the requests for {url} to {here}");
            println!("listening on {url}");
        }
        None => println!("listening on {here}"),
    }
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

/// Ctrl-C and what the system sends to end a process, as they come.
#[derive(Debug, Clone)]
pub struct Signals(watch::Receiver<u32>);

impl Signals {
    /// Listens for signals from now on.
    ///
    /// # Errors
    /// If the signals cannot be awaited.
    pub fn listen() -> io::Result<Self> {
        let (sender, receiver) = watch::channel(0);
        #[cfg(unix)]
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        #[cfg(unix)]
        let mut interrupt = signal::unix::signal(signal::unix::SignalKind::interrupt())?;
        tokio::spawn(async move {
            while !sender.is_closed() {
                #[cfg(unix)]
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                #[cfg(not(unix))]
                if signal::ctrl_c().await.is_err() {
                    return;
                }
                sender.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(receiver))
    }

    /// Ready when so many signals have come.
    pub async fn count(&self, awaited: u32) {
        if self.0.clone().wait_for(|count| *count >= awaited).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
