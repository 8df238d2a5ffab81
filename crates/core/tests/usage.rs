//! Limited grants: a use is reserved before delivery, spent at the first byte, returned when nothing left.

mod support;

use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use http::Method;
use secure_download_core::{
    Availability, Body, BodyError, BoxError, Decision, Delivery, DeliveryError, DeliveryStrategy, Download,
    Gate, Grant, RequestHead, Reservation, Terms, UsageLimit, Use,
};
use support::{Fields, Log, Strategy, allow, boxed, drain, elsewhere, file, get, head, memory, next, one};

/// What the store behind the limit does.
#[derive(Clone, Copy, PartialEq)]
enum Store {
    Works,
    Spent,
    Unlimited,
    FailsToReserve,
    FailsToCommit,
    /// Commits when it is asked once more.
    TakesItsTime,
}

struct Limit(Store, Log);

struct Reserved(Store, Log);

#[async_trait]
impl UsageLimit<(), Download> for Limit {
    async fn reserve(&self, (): &(), _: &Download) -> Result<Use, BoxError> {
        match self.0 {
            Store::Spent => Ok(Use::Spent),
            Store::Unlimited => Ok(Use::Unlimited),
            Store::FailsToReserve => Err(boxed("the store is down")),
            Store::Works | Store::TakesItsTime | Store::FailsToCommit => {
                self.1.note("reserve");
                Ok(Use::Reserved(Box::new(Reserved(self.0, self.1.clone()))))
            }
        }
    }

    async fn look(&self, (): &(), _: &Download) -> Result<Availability, BoxError> {
        match self.0 {
            Store::Spent => Ok(Availability::Spent),
            Store::Unlimited => Ok(Availability::Unlimited),
            Store::FailsToReserve => Err(boxed("the store is down")),
            Store::Works | Store::TakesItsTime | Store::FailsToCommit => Ok(Availability::Limited),
        }
    }
}

#[async_trait]
impl Reservation for Reserved {
    async fn commit(self: Box<Self>) -> Result<(), BoxError> {
        if self.0 == Store::TakesItsTime {
            let mut asked = false;
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        self.1.note("commit");
        if self.0 == Store::FailsToCommit { Err(boxed("the store went down")) } else { Ok(()) }
    }

    fn release(self: Box<Self>) {
        self.1.note("release");
    }
}

fn gate(store: Store, strategy: impl DeliveryStrategy + 'static, log: &Log) -> Gate<(), Download> {
    Gate::builder(one(file("a")))
        .authorizer(allow::<(), Download>)
        .strategy(strategy)
        .usage_limit(Limit(store, log.clone()))
        .build()
}

#[test]
fn a_use_is_spent_by_what_leaves_and_returned_otherwise() {
    let failing =
        || Strategy("broken", |_: Grant, _: &RequestHead| Err(DeliveryError::NotFound(boxed("no file"))));
    let declining = || Strategy("picky", |grant: Grant, _: &RequestHead| Err(grant.decline("picky", "no")));
    let gone: Fields<'_> = &[("if-none-match", "*")];
    let unmatched: Fields<'_> = &[("if-match", "\"x\"")];
    let beyond: Fields<'_> = &[("range", "bytes=99-")];
    let part: Fields<'_> = &[("range", "bytes=1-2")];
    type Case<'a> = (&'a str, Arc<dyn DeliveryStrategy>, Fields<'a>, u16, &'a [&'a str]);
    let cases: [Case<'_>; 11] = [
        ("bytes", Arc::new(memory(b"text")), &[], 200, &["reserve", "commit"]),
        ("a part", Arc::new(memory(b"text")), part, 206, &["reserve", "commit"]),
        ("an empty file", Arc::new(memory(b"")), &[], 200, &["reserve", "commit"]),
        ("a hand-off", Arc::new(elsewhere(200, Delivery::HandedOff, "")), &[], 200, &["reserve", "commit"]),
        ("a redirect", Arc::new(elsewhere(302, Delivery::Redirected, "")), &[], 302, &["reserve", "commit"]),
        (
            "redirect, body",
            Arc::new(elsewhere(302, Delivery::Redirected, "x")),
            &[],
            302,
            &["reserve", "commit"],
        ),
        ("not modified", Arc::new(memory(b"text")), gone, 304, &["reserve", "release"]),
        ("precondition failed", Arc::new(memory(b"text")), unmatched, 412, &["reserve", "release"]),
        ("not satisfiable", Arc::new(memory(b"text")), beyond, 416, &["reserve", "release"]),
        ("no such file", Arc::new(failing()), &[], 404, &["reserve", "release"]),
        ("declined", Arc::new(declining()), &[], 502, &["reserve", "release"]),
    ];
    for (case, strategy, fields, status, expected) in cases {
        let log = Log::default();
        let gate = gate(Store::Works, strategy, &log);
        let response = block_on(gate.serve(&(), "known", &head(&Method::GET, fields)));
        assert_eq!(response.status(), status, "{case}");
        let (_, error) = drain(&mut response.into_body());
        assert!(error.is_none(), "{case}: {error:?}");
        assert_eq!(log.take(), expected, "{case}");
    }
}

#[test]
fn no_byte_leaves_before_the_use_is_spent() {
    for store in [Store::Works, Store::TakesItsTime] {
        let log = Log::default();
        let gate = gate(store, memory(b"text"), &log);
        let mut body = block_on(gate.serve(&(), "known", &get())).into_body();
        assert_eq!(log.take(), ["reserve"], "nothing was sent yet");
        assert_eq!(next(&mut body).expect("a chunk").expect("bytes"), "tex");
        assert_eq!(log.take(), ["commit"]);
        drop(body);
        assert!(log.take().is_empty(), "a transfer that was cut has spent its use");
    }
}

#[test]
fn a_body_that_nobody_took_returns_its_use() {
    let log = Log::default();
    drop(block_on(gate(Store::Works, memory(b"text"), &log).serve(&(), "known", &get())));
    assert_eq!(log.take(), ["reserve", "release"]);
}

#[test]
fn a_store_that_fails_to_commit_sends_nothing() {
    let log = Log::default();
    let gate_of = |strategy: Arc<dyn DeliveryStrategy>| gate(Store::FailsToCommit, strategy, &log);

    let response = block_on(gate_of(Arc::new(memory(b"text"))).serve(&(), "known", &get()));
    let (bytes, error) = drain(&mut response.into_body());
    assert!(bytes.is_empty() && matches!(error, Some(BodyError::Commit(_))), "{error:?}");
    assert_eq!(log.take(), ["reserve", "commit"], "the commit may have got through, so it is not returned");

    for strategy in [elsewhere(200, Delivery::HandedOff, ""), elsewhere(302, Delivery::Redirected, "")] {
        let response = block_on(gate_of(Arc::new(strategy)).serve(&(), "known", &get()));
        assert_eq!(response.status(), 503);
        assert_eq!(log.take(), ["reserve", "commit"]);
    }
}

#[test]
fn without_a_use_there_is_no_delivery() {
    for (store, status) in [(Store::Spent, 404), (Store::FailsToReserve, 503), (Store::Unlimited, 200)] {
        let delivered = Log::default();
        let noted = delivered.clone();
        let strategy = Strategy("noting", move |_: Grant, _: &RequestHead| {
            noted.note("delivered");
            Ok(http::Response::new(Body::full(Bytes::from_static(b"text"))))
        });
        let log = Log::default();
        let gate = gate(store, strategy, &log);
        for method in [Method::GET, Method::HEAD] {
            let response = block_on(gate.serve(&(), "known", &head(&method, &[])));
            assert_eq!(response.status(), status, "{method}");
            assert_eq!(delivered.take().len(), usize::from(status == 200), "{method}");
        }
    }
}

#[test]
fn a_grant_with_limited_uses_says_so() {
    for (store, method, limited) in [
        (Store::Works, Method::GET, true),
        (Store::Works, Method::HEAD, true),
        (Store::Unlimited, Method::GET, false),
    ] {
        let seen = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&seen);
        let strategy = Strategy("asking", move |grant: Grant, _: &RequestHead| {
            *slot.lock().expect("not poisoned") = Some(grant.is_limited());
            Ok(http::Response::new(Body::empty()))
        });
        let log = Log::default();
        drop(block_on(gate(store, strategy, &log).serve(&(), "known", &head(&method, &[]))));
        assert_eq!(*seen.lock().expect("not poisoned"), Some(limited), "{method}");
    }
}

#[test]
fn terms_may_insist_on_a_limit() {
    let insist = |(): &(), _: &Download| Decision::AllowWith(Terms::new().limited_uses());
    let log = Log::default();
    let none = Gate::builder(one(file("a"))).authorizer(insist).strategy(memory(b"text")).build();
    let limited = |store| {
        let builder = Gate::builder(one(file("a"))).authorizer(insist).strategy(memory(b"text"));
        builder.usage_limit(Limit(store, log.clone())).build()
    };
    for (case, gate, status) in [
        ("no limit", none, 500),
        ("a limit that leaves this record out", limited(Store::Unlimited), 500),
        ("a limit", limited(Store::Works), 200),
    ] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(block_on(gate.serve(&(), "known", &head(&method, &[]))).status(), status, "{case}");
        }
    }
}
