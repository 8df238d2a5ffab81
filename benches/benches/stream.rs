//! Streaming by size, gate included, from a warm page cache; others, without a gate, beside it.
//! `cargo bench -p benches --bench stream`

use std::fs::File;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{App, test};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::header::HeaderMap;
use http::{Method, Request, Response};
use http_body::Body as HttpBody;
use http_serve::ChunkedReadFile;
use object_store::local::LocalFileSystem;
use secure_download::{Body, Stream};
use tokio::runtime::Runtime;
use tower_http::services::ServeFile;
use tower_service::Service as _;

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

    let store = LocalFileSystem::new_with_prefix(root.path()).expect("a folder");
    let by_store = benches::gate(Stream::object_store(Arc::new(store)), &names);
    let mut group = criterion.benchmark_group("others");
    for (name, _) in &SIZES[..3] {
        group.bench_function(BenchmarkId::new("Stream::object_store", name), |bencher| {
            bencher
                .to_async(&runtime)
                .iter(async || benches::drain(by_store.serve(&benches::OWNER, name, &get).await).await);
        });
        let path = root.path().join(name);
        group.bench_function(BenchmarkId::new("tower-http ServeFile", name), |bencher| {
            let served = || ServeFile::new(&path).call(request(Method::GET));
            bencher.to_async(&runtime).iter(async || take(served().await.expect("an answer")).await);
        });
        group.bench_function(BenchmarkId::new("http-serve", name), |bencher| {
            bencher.to_async(&runtime).iter(async || take(by_http_serve(&path, &request(Method::GET))).await);
        });
        let target = format!("/{}", name.replace(' ', "%20"));
        group.bench_function(BenchmarkId::new("actix-files", name), |bencher| {
            bencher.iter_custom(|times| by_actix_files(root.path(), &target, times));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("stream, no body");
    group.bench_function("HEAD by ServeFile", |bencher| {
        let mut file = ServeFile::new(root.path().join("46 KB"));
        bencher.to_async(&runtime).iter(|| file.call(request(Method::HEAD)));
    });
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

fn request(method: Method) -> Request<Body> {
    Request::builder().method(method).body(Body::empty()).expect("a request")
}

/// As its documentation shows it.
fn by_http_serve(
    path: &Path,
    request: &Request<Body>,
) -> Response<impl HttpBody<Data = Bytes, Error = BoxError>> {
    let file = tokio::task::block_in_place(|| {
        ChunkedReadFile::<Bytes, BoxError>::new(File::open(path)?, HeaderMap::new())
    });
    http_serve::serve(file.expect("a file"), request)
}

/// So many times, one after the other.
fn by_actix_files(root: &Path, target: &str, times: u64) -> Duration {
    actix_web::rt::System::new().block_on(async {
        let app = App::new().service(actix_files::Files::new("/", root));
        let app = test::init_service(app).await;
        let started = Instant::now();
        for _ in 0..times {
            let request = test::TestRequest::get().uri(target).to_request();
            let answer = test::call_and_read_body(&app, request).await;
            std::hint::black_box(answer);
        }
        started.elapsed()
    })
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// As [`benches::drain`], of any body.
async fn take<B: HttpBody<Data = Bytes>>(response: Response<B>) -> usize {
    let mut body = pin!(response.into_body());
    let mut count = 0;
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        count += frame.data_ref().map_or(0, Bytes::len);
    }
    count
}

criterion_group!(benches, bench);
criterion_main!(benches);
