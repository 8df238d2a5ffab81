//! Many slow readers of one large file on a demo application: `cargo xtask load readers`.
//!
//! `readers PROGRAM [COUNT [SECONDS [VARIANT]]]`: the program is a demo or, with a variant, `compared`. Every reader takes 2 KB a second and checks each byte. Meanwhile small requests are timed and memory is read. Then
//! some readers speed up, some reset their connections, a second wave comes, and clients that do not read at all fill
//! every place of a second demo.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

mod content;
mod memory;
mod reader;
mod site;
mod stalled;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use demo::suite::Visitor;
use tokio::task::JoinSet;

use self::content::Content;
use self::memory::Memory;
use self::reader::Reader;
use self::site::Site;

const SIZE: usize = 100 << 20;
const RATE: usize = 2048;
const RESETS: usize = 200;
const SPEED_UPS: usize = 20;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().expect("the path of a demo application");
    let count: usize = arguments.next().map_or(1000, |count| count.parse().expect("a number of readers"));
    let seconds: u64 = arguments.next().map_or(30, |count| count.parse().expect("a number of seconds"));
    demo::raise_descriptor_limit();

    let variant = arguments.next();
    let content = Content::new(SIZE);
    let site = match &variant {
        None => Site::demo(&program, count + 10, &content).await,
        Some(variant) => Site::compared(&program, variant, &content).await,
    };
    let content = Arc::new(content);
    let cookie = variant.is_none().then(|| site.visitor.cookie_line());
    let request = Arc::new(reader::request(&site.large, &cookie.unwrap_or("Accept: */*".to_owned())));
    let pid = site.process_id;

    let alone = fast(&site, &request, &content, Arc::new(AtomicBool::new(false)), 5).await;
    let quiet = small_requests(&site, Arc::new(AtomicBool::new(false)), 200).await;
    let idle = Memory::of(pid);
    println!("readers: {count} at {RATE} B/s for {seconds} s, of one file of {SIZE} bytes");
    println!("small request beside nobody     p50 {:>7.2?}  p99 {:>7.2?}", quiet.0, quiet.1);

    let (readers, busy, beside, held) = wave(&site, &request, &content, count, seconds).await;
    println!("small request beside the readers p50 {:>6.2?}  p99 {:>7.2?}", busy.0, busy.1);
    println!("{} MiB by a fast client: {alone:.2?} alone, {beside:.2?} beside the readers", SIZE >> 20);
    println!(
        "resident: {} KiB idle, {} KiB with readers: {:.1} KiB a reader",
        idle.resident,
        held.resident,
        per(held.resident, idle.resident, count)
    );
    println!(
        "kernel TCP memory, both ends: {:.1} KiB a reader; descriptors: {} idle, {} with readers",
        per(held.kernel, idle.kernel, count),
        idle.descriptors,
        held.descriptors
    );

    let first_peak = finish(readers, &content).await;
    println!("{SPEED_UPS} readers sped up and took the whole file, every byte checked, {first_peak:.2?}");
    let after = Memory::settled(pid, idle.descriptors + 2).await;
    println!(
        "{RESETS} resets and the rest gone: {} descriptors (idle: {})",
        after.descriptors, idle.descriptors
    );
    assert!(after.descriptors <= idle.descriptors + 2, "descriptors leak");

    let first = after.peak;
    let mut peak = first;
    for number in ["second", "third", "fourth"] {
        let (readers, ..) = wave(&site, &request, &content, count, seconds / 3).await;
        drop(readers);
        let now = Memory::settled(pid, idle.descriptors + 2).await.peak;
        println!("peak resident: {peak} KiB before the {number} wave, {now} KiB after it");
        peak = now;
    }
    // Allocators keep pages for each thread and need a few waves to fill the gaps in all of them.
    assert!(peak <= first + first / 4, "memory keeps growing");
    assert!(busy.1 < Duration::from_millis(50), "small requests waited");
    site.stop().await;

    if variant.is_none() {
        stalled::check(&program).await;
    }
}

/// Starts readers, keeps them going for a while beside small requests, and sees that each got its bytes.
async fn wave(
    site: &Site,
    request: &Arc<Vec<u8>>,
    content: &Arc<Content>,
    count: usize,
    seconds: u64,
) -> (Vec<Reader>, (Duration, Duration), Duration, Memory) {
    let address = site.address;
    let mut connecting = JoinSet::new();
    for _ in 0..count {
        let request = Arc::clone(request);
        connecting.spawn(async move { Reader::connect(address, &request).await });
    }
    let readers = connecting.join_all().await;
    println!("{} readers have the head of their answer", readers.len());

    let stop = Arc::new(AtomicBool::new(false));
    let small_ones = small_requests(site, Arc::clone(&stop), usize::MAX);
    let fast_ones = fast(site, request, content, Arc::clone(&stop), usize::MAX);
    let reading = async {
        let mut running = JoinSet::new();
        for mut reader in readers {
            let content = Arc::clone(content);
            running.spawn(async move {
                reader.read_slowly(&content, RATE, Duration::from_secs(seconds)).await;
                reader
            });
        }
        let readers = running.join_all().await;
        let held = Memory::of(site.process_id);
        stop.store(true, Ordering::Relaxed);
        (readers, held)
    };
    let (latency, fast, (readers, held)) = tokio::join!(small_ones, fast_ones, reading);
    (readers, latency, fast, held)
}

/// Some readers take all the rest, some reset their connections, the others just go.
async fn finish(readers: Vec<Reader>, content: &Arc<Content>) -> Duration {
    let started = Instant::now();
    let mut speeding = JoinSet::new();
    for (number, mut reader) in readers.into_iter().enumerate() {
        let content = Arc::clone(content);
        if number < SPEED_UPS {
            reader.speed_up();
            speeding.spawn(async move { reader.read_to_end(&content).await });
        } else if number < SPEED_UPS + RESETS {
            reader.reset();
        }
    }
    speeding.join_all().await;
    started.elapsed()
}

/// Small downloads one after the other: median and 99th percentile.
async fn small_requests(site: &Site, stop: Arc<AtomicBool>, most: usize) -> (Duration, Duration) {
    let mut times = Vec::new();
    let mut visitor: Visitor = site.visitor.clone();
    while times.len() < most && !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        assert_eq!(visitor.get(&site.small).await.status, 200);
        times.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// How long the whole file takes one client that does not wait: the median of some, a second apart.
async fn fast(
    site: &Site,
    request: &[u8],
    content: &Arc<Content>,
    stop: Arc<AtomicBool>,
    most: usize,
) -> Duration {
    let mut times = Vec::new();
    while times.len() < most && !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        let mut reader = Reader::fast(site.address, request).await;
        reader.read_to_end(content).await;
        times.push(started.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per(with: u64, without: u64, count: usize) -> f64 {
    with.saturating_sub(without) as f64 / count as f64
}
