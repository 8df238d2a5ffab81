//! `cargo xtask load cold`: how long small requests take beside downloads that the disk has to be asked for.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::compare::{SIZES, file_name, start, write_files};
use super::report::{self, Table, digits, median};
use super::wrk::Load;
use crate::command::Failed;

const ROUNDS: usize = 3;
const READERS: usize = 12;
const LARGE: usize = 64 << 20;
const SMALL: Load = Load { connections: 4, seconds: 3 };

pub(crate) fn run(programs: &Path, folder: &Path) -> Result<(), Failed> {
    let files = write_files(folder)?;
    let large: Vec<PathBuf> = (0..READERS).map(|number| files.join(format!("cold-{number}.png"))).collect();
    for path in &large {
        if fs::metadata(path).map_or(0, |file| file.len()) != LARGE as u64 {
            fs::write(path, vec![7; LARGE])
                .map_err(|error| Failed(format!("{}: {error}", path.display())))?;
        }
    }
    let measured = measure_all(programs, folder, &files, &large);
    for path in &large {
        // Room on the disk; should it fail, the next run takes them as they are.
        let _ = fs::remove_file(path);
    }
    let table = measured?.to_string();
    println!("{table}");
    report::replace("cold", &table)
}

fn measure_all(programs: &Path, folder: &Path, files: &Path, large: &[PathBuf]) -> Result<Table, Failed> {
    let mut table = Table::new([
        "server",
        "small requests, ms at p50",
        "p99",
        "cold data meanwhile, MB/s",
        "p99 over nginx's",
    ]);
    let contenders = [
        ("nginx, sendfile", "nginx"),
        ("Stream::local, axum", "axum"),
        ("Stream::local, actix", "actix"),
        ("tower-http ServeFile", "servefile"),
        ("actix-files", "actix-files"),
    ];
    let mut rows = Vec::new();
    for (name, variant) in contenders {
        rows.push((name, start(variant, programs, folder, files)?, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (_, server, runs) in &mut rows {
            let stop = AtomicBool::new(false);
            let address = server.address();
            let (seen, cold) = std::thread::scope(|scope| {
                let readers = large.iter().map(|path| scope.spawn(|| read_cold(address, path, &stop)));
                let readers: Vec<_> = readers.collect();
                let url = format!("http://{address}/files/{}", file_name(&SIZES[0]));
                let seen = SMALL.run(folder, &url);
                stop.store(true, Ordering::Relaxed);
                let cold = readers.into_iter().map(|reader| reader.join().unwrap_or_default()).sum::<usize>();
                (seen, cold)
            });
            let seen = seen?;
            runs.push((seen.p50, seen.p99, cold as f64 / seen.seconds / 1e6));
        }
    }
    let nginx: Vec<f64> = rows[0].2.iter().map(|run: &(f64, f64, f64)| run.1).collect();
    for (name, _, runs) in rows {
        let ratios = runs.iter().zip(&nginx).map(|(run, nginx)| run.1 / nginx).collect();
        let of = |value: fn(&(f64, f64, f64)) -> f64| digits(median(runs.iter().map(value).collect()));
        table.row([
            name.to_owned(),
            of(|run| run.0),
            of(|run| run.1),
            of(|run| run.2),
            digits(median(ratios)),
        ]);
    }
    Ok(table)
}

/// Takes a file that is not in memory, over and over, and counts the bytes.
fn read_cold(address: SocketAddr, path: &Path, stop: &AtomicBool) -> usize {
    let mut bytes = 0;
    let mut buffer = vec![0; 256 * 1024];
    while !stop.load(Ordering::Relaxed) {
        forget(path);
        let Ok(mut stream) = TcpStream::connect(address) else { break };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let request = format!("GET /files/{name} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        if stream.write_all(request.as_bytes()).is_err() {
            break;
        }
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            bytes += count;
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    bytes
}

/// Has the kernel drop the file from its cache: what `dd(1)` does with this flag if it copies nothing.
fn forget(path: &Path) {
    let of = format!("of={}", path.display());
    let mut dd = Command::new("dd");
    dd.args([&of, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"]);
    let _ = dd.stdout(Stdio::null()).stderr(Stdio::null()).status();
}
