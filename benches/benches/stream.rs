//! Streaming by size, gate included, from a warm page cache. `cargo bench -p benches --bench stream`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::Method;
use tokio::runtime::Runtime;

const SIZES: [(&str, usize); 4] =
    [("1 KB", 1 << 10), ("46 KB", 46_287), ("1 MB", 1 << 20), ("100 MB", 100 << 20)];

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let root = tempfile::tempdir().expect("a folder");
    let names = SIZES.map(|(name, _)| name);
    for (name, size) in SIZES {
        std::fs::write(root.path().join(name), vec![7; size]).expect("written");
    }
    let gate = benches::stream_gate(root.path(), &names);

    let mut group = criterion.benchmark_group("stream");
    let get = benches::head(&Method::GET, "", "");
    for (name, size) in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        group.sample_size(if size > 1 << 20 { 10 } else { 50 });
        group.bench_function(BenchmarkId::new("GET", name), |bencher| {
            bencher
                .to_async(&runtime)
                .iter(async || benches::drain(gate.serve(&benches::OWNER, name, &get).await).await);
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("stream, no body");
    for (name, method, field, value) in [
        ("HEAD", Method::HEAD, "", ""),
        ("304", Method::GET, "if-none-match", "*"),
        ("416", Method::GET, "range", "bytes=999999999-"),
    ] {
        let head = benches::head(&method, field, value);
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| gate.serve(&benches::OWNER, "46 KB", &head));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
