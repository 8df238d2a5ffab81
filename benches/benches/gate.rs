//! What the gate itself costs: everything but the bytes. `cargo bench -p benches --bench gate`

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Method, Response};
use secure_download::{
    AccelRedirect, Body, Credentials, DeliveryError, DeliveryStrategy, Dialect, Download, FirstOf, Gate,
    Grant, Mapping, Presign, ProxySecret, RequestHead, Root, S3Bucket, S3Signer,
};
use tokio::runtime::Runtime;

/// Answers with the plan's headers and no bytes.
struct Headers;

#[async_trait]
impl DeliveryStrategy for Headers {
    fn name(&self) -> &'static str {
        "headers"
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = grant.into_plan().into_headers();
        Ok(response)
    }
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("gate");
    let get = benches::head(&Method::GET, "", "");
    let gate = benches::gate(Headers, &["a"]);
    for (name, subject, id) in
        [("granted", benches::OWNER, "a"), ("unknown id", benches::OWNER, "b"), ("anonymous", None, "a")]
    {
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| gate.serve(&subject, id, &get));
        });
    }
    let first_of = benches::gate(FirstOf::new(Headers), &["a"]);
    group.bench_function("granted, first of one", |bencher| {
        bencher.to_async(&runtime).iter(|| first_of.serve(&benches::OWNER, "a", &get));
    });
    let accel = accel();
    let proven = benches::head(&Method::GET, "x-secure-download-proof", SECRET);
    group.bench_function("granted, handed off to nginx", |bencher| {
        bencher.to_async(&runtime).iter(|| accel.serve(&benches::OWNER, "a", &proven));
    });
    let presign = presign();
    group.bench_function("granted, redirected to S3", |bencher| {
        bencher.to_async(&runtime).iter(|| presign.serve(&benches::OWNER, "a", &get));
    });
    group.finish();
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn accel() -> Gate<Option<benches::User>, Download> {
    let root = Root::new("/_protected/files", "/srv/files").expect("a root");
    let mapping = Mapping::new([root]).expect("a mapping");
    let secret = ProxySecret::new(SECRET).expect("a secret");
    benches::gate(AccelRedirect::new(Dialect::Nginx, mapping, secret), &["a"])
}

fn presign() -> Gate<Option<benches::User>, Download> {
    let bucket = S3Bucket::aws("eu-central-1", "scans").expect("a bucket");
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET).expect("complete");
    benches::gate(Presign::new(S3Signer::new(bucket, credentials)), &["a"])
}

criterion_group!(benches, bench);
criterion_main!(benches);
