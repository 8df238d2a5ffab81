//! What the gate itself costs: everything but the bytes. `cargo bench -p benches --bench gate`

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Method, Response};
use secure_download::{Body, DeliveryError, DeliveryStrategy, FirstOf, Grant, RequestHead};
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
        response.headers_mut().clone_from(grant.plan().headers());
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
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
