//! Providers that hang, fail or come back, and what that costs a download.

#![cfg(feature = "s3")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::Method;
use secure_download_core::{BoxError, SignError, SignedUrl, UrlSigner};
use secure_download_presign::{CredentialProvider, Credentials, S3Bucket, S3Signer};
use support::{file, grant, now};
use tokio::sync::Semaphore;
use tokio::time::Instant;

#[derive(Clone, Copy, PartialEq)]
enum Does {
    /// Gives credentials of this number that live so many seconds from [`now`].
    Gives(usize, u64),
    Fails,
    Hangs,
    /// Gives credentials of this number once it is told to go on.
    Waits(usize),
    /// As that, with a lock that others wait for.
    WaitsWithALock(usize),
    Panics,
}

struct Provider {
    does: Mutex<Does>,
    go_on: Semaphore,
    lock: tokio::sync::Mutex<()>,
    asked: AtomicUsize,
}

#[derive(Clone)]
struct Handle(Arc<Provider>);

impl Handle {
    fn new(does: Does) -> Self {
        let provider = Provider {
            does: Mutex::new(does),
            go_on: Semaphore::new(0),
            lock: tokio::sync::Mutex::new(()),
            asked: AtomicUsize::new(0),
        };
        Self(Arc::new(provider))
    }

    fn now_does(&self, does: Does) {
        *self.0.does.lock().expect("no panic") = does;
    }
}

fn credentials(number: usize) -> Credentials {
    Credentials::new(format!("AKID{number}"), "hush").expect("complete")
}

#[async_trait]
impl CredentialProvider for Handle {
    async fn credentials(&self) -> Result<Arc<Credentials>, BoxError> {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        let does = *self.0.does.lock().expect("no panic");
        match does {
            Does::Gives(number, seconds) => {
                Ok(Arc::new(credentials(number).expires_at(now() + Duration::from_secs(seconds))))
            }
            Does::Fails => Err("no route to the metadata server".into()),
            Does::Hangs => std::future::pending().await,
            Does::Waits(number) => {
                self.0.go_on.acquire().await?.forget();
                Ok(Arc::new(credentials(number)))
            }
            Does::WaitsWithALock(number) => {
                let _locked = self.0.lock.lock().await;
                self.0.go_on.acquire().await?.forget();
                Ok(Arc::new(credentials(number)))
            }
            Does::Panics => panic!("the provider of a test panics"),
        }
    }
}

fn signer(provider: &Handle) -> S3Signer {
    let bucket = S3Bucket::at("https://s3.example", "eu-central-1", "scans").expect("a bucket");
    S3Signer::with_provider(bucket, provider.clone())
}

async fn sign(signer: &S3Signer, at: SystemTime) -> Result<SignedUrl, SignError> {
    signer.sign(&grant(file("a")), &Method::GET, Duration::from_secs(5), at).await
}

fn number(signed: &SignedUrl) -> usize {
    let (_, behind) = signed.expose().split_once("AKID").expect("the access key");
    behind.chars().next().and_then(|digit| digit.to_digit(10)).expect("a digit") as usize
}

/// The clock stands still while anything can go on, so nobody waits for real.
#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_while_the_credentials_are_good() {
    for trouble in [Does::Hangs, Does::Fails] {
        let provider = Handle::new(Does::Gives(1, 600));
        let signer = signer(&provider);
        assert_eq!(number(&sign(&signer, now()).await.expect("signed")), 1);
        provider.now_does(trouble);
        let started = Instant::now();
        for seconds in [0, 1, 300, 595] {
            let signed = sign(&signer, now() + Duration::from_secs(seconds)).await.expect("signed");
            assert_eq!(number(&signed), 1);
            assert!(signed.expires_at() <= now() + Duration::from_secs(600));
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_costs_five_seconds_at_most() {
    let provider = Handle::new(Does::Hangs);
    let signer = signer(&provider);
    for attempt in 1..=3 {
        let started = Instant::now();
        assert!(matches!(sign(&signer, now()).await, Err(SignError::Failed(_))));
        assert_eq!(started.elapsed(), Duration::from_secs(5), "attempt {attempt}");
        assert_eq!(provider.0.asked.load(Ordering::Relaxed), attempt);
    }
    // Its last credentials end in two seconds: those are better than none, but a renewal is waited for.
    provider.now_does(Does::Gives(1, 600));
    assert_eq!(number(&sign(&signer, now()).await.expect("signed")), 1);
    provider.now_does(Does::Hangs);
    let started = Instant::now();
    let late = now() + Duration::from_secs(598);
    let signed = sign(&signer, late).await.expect("signed");
    assert_eq!(
        (started.elapsed(), signed.expires_at()),
        (Duration::from_secs(5), now() + Duration::from_secs(600))
    );
    assert!(sign(&signer, now() + Duration::from_secs(600)).await.is_err(), "what ended signs nothing");
    provider.now_does(Does::Fails);
    assert!(sign(&signer, now() + Duration::from_secs(601)).await.is_err());
    provider.now_does(Does::Gives(2, 1200));
    assert_eq!(number(&sign(&signer, now() + Duration::from_secs(602)).await.expect("signed")), 2);
}

#[tokio::test(start_paused = true)]
async fn one_question_serves_all_and_its_answer_is_used() {
    let provider = Handle::new(Does::Waits(3));
    let signer = Arc::new(signer(&provider));
    let requests: Vec<_> = (0..50)
        .map(|_| {
            let signer = Arc::clone(&signer);
            tokio::spawn(async move { sign(&signer, now()).await.map(|signed| number(&signed)) })
        })
        .collect();
    while provider.0.asked.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    provider.0.go_on.add_permits(1);
    for request in requests {
        assert_eq!(request.await.expect("no panic").expect("signed"), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_goes_on_without_a_request() {
    let provider = Handle::new(Does::Gives(1, 600));
    let signer = signer(&provider);
    assert_eq!(number(&sign(&signer, now()).await.expect("signed")), 1);
    provider.now_does(Does::WaitsWithALock(2));
    assert_eq!(number(&sign(&signer, now()).await.expect("signed")), 1, "nothing is waited for");
    provider.0.go_on.add_permits(1);
    // Others of the application wait for the same lock.
    let locked = provider.0.lock.lock().await;
    drop(locked);
    assert_eq!(number(&sign(&signer, now()).await.expect("signed")), 2);
    assert_eq!(provider.0.asked.load(Ordering::Relaxed), 2, "one question, one answer");
    // A provider that hangs with the lock gives it back too.
    provider.now_does(Does::WaitsWithALock(3));
    let good = now() + Duration::from_secs(1);
    assert_eq!(number(&sign(&signer, good).await.expect("signed")), 2);
    let started = Instant::now();
    drop(provider.0.lock.lock().await);
    assert!(started.elapsed() <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_no_request_took_in_time_is_asked_for_again() {
    let provider = Handle::new(Does::Gives(1, 600));
    let signer = signer(&provider);
    assert_eq!(number(&sign(&signer, now()).await.expect("signed")), 1);
    provider.now_does(Does::Waits(2));
    assert_eq!(number(&sign(&signer, now()).await.expect("signed")), 1);
    provider.0.go_on.add_permits(1);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    provider.now_does(Does::Gives(3, 7200));
    assert_eq!(number(&sign(&signer, now() + Duration::from_secs(3600)).await.expect("signed")), 3);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_provider_is_one_failure() {
    let provider = Handle::new(Does::Panics);
    let signer = signer(&provider);
    for _ in 0..2 {
        assert!(matches!(sign(&signer, now()).await, Err(SignError::Failed(_))));
    }
    provider.now_does(Does::Gives(1, 600));
    assert_eq!(number(&sign(&signer, now()).await.expect("signed")), 1);
    provider.now_does(Does::Panics);
    assert_eq!(number(&sign(&signer, now()).await.expect("signed")), 1);
}

#[test]
fn no_runtime_is_needed() {
    let provider = Handle::new(Does::Gives(1, 600));
    assert_eq!(number(&support::block_on(sign(&signer(&provider), now())).expect("signed")), 1);
}
