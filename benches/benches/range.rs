//! Range bombs beside a plain GET of the same file, gate included. `cargo bench -p benches --bench range`

use std::fmt::Write as _;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::header::RANGE;
use http::{HeaderMap, HeaderValue, Method};
use secure_download::RequestHead;
use tokio::runtime::Runtime;

const SIZES: [(&str, usize); 3] = [("1 KB", 1 << 10), ("46 KB", 46_287), ("1 MB", 1 << 20)];

/// A `Range` field of many ranges, each made of its number.
fn bomb(count: usize, range: impl Fn(usize) -> (usize, usize)) -> String {
    let mut field = String::from("bytes=");
    for number in 0..count {
        let comma = if number == 0 { "" } else { "," };
        let (first, last) = range(number);
        write!(field, "{comma}{first}-{last}").expect("a string");
    }
    field
}

fn bombs(size: usize) -> [(&'static str, String); 8] {
    // As the documented cap says.
    let allowed = (size / 8192).clamp(32, 200);
    let each = size / allowed;
    [
        ("plain GET", String::new()),
        ("10,000 ranges apart", bomb(10_000, |n| (2 * n, 2 * n))),
        ("10,000 ranges overlapping", bomb(10_000, |n| (0, size + n))),
        ("1 MB of ranges", bomb(150_000, |n| (n % 1000, n % 1000))),
        ("1 MB of digits", format!("bytes=0-{}", "9".repeat(1 << 20))),
        ("as many as are read, overlapping", bomb(allowed, |n| (n, size - n))),
        ("as many as are read, one byte each", bomb(allowed, |n| (n * each, n * each))),
        ("as many as are read, all but a byte between", bomb(allowed, |n| (n * each, (n + 1) * each - 2))),
    ]
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let root = tempfile::tempdir().expect("a folder");
    let names = SIZES.map(|(name, _)| name);
    for (name, size) in SIZES {
        std::fs::write(root.path().join(name), vec![7; size]).expect("written");
    }
    let gate = benches::stream_gate(root.path(), &names);
    for (name, size) in SIZES {
        let mut group = criterion.benchmark_group(format!("range, {name}"));
        group
            .sample_size(20)
            .measurement_time(Duration::from_secs(2))
            .warm_up_time(Duration::from_millis(500));
        for (bomb, field) in bombs(size) {
            let mut headers = HeaderMap::new();
            if !field.is_empty() {
                headers.insert(RANGE, HeaderValue::from_str(&field).expect("a value"));
            }
            let head = RequestHead::new(&Method::GET, &headers);
            group.bench_function(BenchmarkId::from_parameter(bomb), |bencher| {
                bencher
                    .to_async(&runtime)
                    .iter(async || benches::drain(gate.serve(&benches::OWNER, name, &head).await).await);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
