//! Hand-off against streaming through the same proxy, as ratios: `cargo bench -p benches --bench handoff`
//!
//! Both kinds are asked for in turn, by the same connections, so that what else the machine does weighs on both alike.
#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use secure_download::{Download, FileKey};
use system_tests::{ProxyServer, ProxySite};

const SIZES: [(&str, usize); 2] = [("46 KB", 46_287), ("1 MB", 1 << 20)];
const CONNECTIONS: usize = 8;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(700);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("{:<14}{:>8}{:>14}{:>14}{:>9}", "proxy", "file", "handed off/s", "streamed/s", "ratio");
    for server in [ProxyServer::Nginx, ProxyServer::Caddy, ProxyServer::NewestCaddy] {
        let mut site = ProxySite::behind(server);
        let mut catalog = HashMap::new();
        for (index, (name, size)) in SIZES.into_iter().enumerate() {
            site = site.file(name, &vec![7; size]);
            let download = Download::new(FileKey::parse(name).expect("a key")).content_type("image/jpeg");
            catalog.insert(index.to_string(), download);
        }
        let site = runtime.block_on(site.catalog(catalog).start());
        for (index, (name, _)) in SIZES.into_iter().enumerate() {
            let (mut handed_off, mut streamed, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let one = rate(site.proxy(), &format!("/alone/{index}"));
                let other = rate(site.proxy(), &format!("/stream/{index}"));
                handed_off.push(one);
                streamed.push(other);
                ratios.push(one / other);
            }
            println!(
                "{:<14}{name:>8}{:>14.0}{:>14.0}{:>9.2}",
                format!("{server:?}"),
                median(handed_off),
                median(streamed),
                median(ratios)
            );
        }
    }
}

/// Whole files per second over all connections.
fn rate(proxy: SocketAddr, target: &str) -> f64 {
    let started = Instant::now();
    let count: u32 = thread::scope(|scope| {
        let connections =
            [(); CONNECTIONS].map(|()| scope.spawn(|| download_until(proxy, target, started + ROUND)));
        connections.map(|connection| connection.join().expect("no panic")).iter().sum()
    });
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn download_until(proxy: SocketAddr, target: &str, end: Instant) -> u32 {
    let mut stream = connect(proxy);
    let request = format!("GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n");
    let mut buffer = vec![0; 256 * 1024];
    let mut count = 0;
    while Instant::now() < end {
        stream.write_all(request.as_bytes()).expect("sent");
        let mut filled = 0;
        let head = loop {
            filled += read(&mut stream, &mut buffer[filled..]);
            if let Some(end) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 200 "), "{text}");
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let length: usize = length.expect("a length").parse().expect("a number");
        let mut left = length - (filled - head);
        while left > 0 {
            let most = left.min(buffer.len());
            left -= read(&mut stream, &mut buffer[..most]);
        }
        count += 1;
        // nginx closes a connection after a thousand requests.
        if text.contains("connection: close") {
            stream = connect(proxy);
        }
    }
    count
}

fn connect(proxy: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(proxy).expect("connected");
    stream.set_nodelay(true).expect("a socket");
    stream
}

fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> usize {
    let count = stream.read(buffer).expect("an answer");
    assert!(count > 0, "the connection was closed");
    count
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
