//! Links: making, reading and redeeming one. `cargo bench -p benches --bench links`

use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use secure_download::links::{LinkKey, LinkSigner, Links, MemoryLinkStore, NewLink};
use tokio::runtime::Runtime;

fn one_time() -> NewLink {
    NewLink::one_time("6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee", Duration::from_secs(3600)).issued_by("7")
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let signer = LinkSigner::new(
        "benches",
        &LinkKey::new(1, "0123456789abcdef0123456789abcdef").expect("long enough"),
    );
    let links = Links::new(signer, MemoryLinkStore::new(100_000_000)).links_per_issuer(u32::MAX);
    let token = runtime.block_on(links.mint(one_time())).expect("minted");
    let claims = links.look(&token).expect("good");
    let signer = links.signer().clone();

    let mut group = criterion.benchmark_group("links");
    group.bench_function("sign", |bencher| bencher.iter(|| signer.sign(std::hint::black_box(&claims))));
    group.bench_function("verify", |bencher| bencher.iter(|| signer.verify(std::hint::black_box(&token))));
    group.bench_function("refuse a changed token", |bencher| {
        let changed = format!("{}A", &token[..token.len() - 1]);
        bencher.iter(|| signer.verify(std::hint::black_box(&changed)));
    });
    group.bench_function("mint, in memory", |bencher| {
        bencher.to_async(&runtime).iter_batched(one_time, |link| links.mint(link), BatchSize::SmallInput);
    });
    for before in [200, 20_000] {
        // A link that was redeemed so often, each time without a download.
        let token = runtime.block_on(async {
            let counted = NewLink::counted("6f1f4bd4", NonZeroU32::MAX, Duration::from_secs(3600));
            let token = links.mint(counted.issued_by("7")).await.expect("minted");
            for _ in 0..before {
                links.redeem(&token).await.expect("answers");
            }
            token
        });
        group.bench_function(format!("redeem, in memory, after {before}"), |bencher| {
            bencher.to_async(&runtime).iter(|| links.redeem(&token));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
