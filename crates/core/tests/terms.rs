//! Terms: what record, request and decision say is combined, and the stricter side wins.

mod support;

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::executor::block_on;
use http::Response;
use secure_download_core::{
    Authorizer, Body, BoxError, Decision, Denial, Download, Gate, Grant, RequestHead, Terms,
};
use support::{Strategy, file, get, one};

/// Imposes its terms when it admits and when it authorises.
struct Imposing {
    admits: Decision,
    authorize: Decision,
}

#[async_trait]
impl Authorizer<(), Download> for Imposing {
    async fn admits(&self, (): &()) -> Result<Decision, BoxError> {
        Ok(self.admits)
    }

    async fn authorize(&self, (): &(), _: &Download) -> Result<Decision, BoxError> {
        Ok(self.authorize)
    }
}

/// The terms and the disposition that reach the strategy.
fn granted(record: Terms, asked: Terms, admits: Terms, authorize: Terms) -> (Terms, String) {
    let seen = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&seen);
    let gate = Gate::builder(one(with_terms(record)))
        .authorizer(Imposing {
            admits: Decision::AllowWith(admits),
            authorize: Decision::AllowWith(authorize),
        })
        .strategy(Strategy("terms", move |grant: Grant, _: &RequestHead| {
            let disposition =
                grant.plan().headers()["content-disposition"].to_str().expect("ASCII").to_owned();
            *slot.lock().expect("not poisoned") = Some((grant.terms(), disposition));
            Ok(Response::new(Body::empty()))
        }))
        .build();
    let mut request = gate.request(&(), "known");
    if asked.asks_inline() {
        request = request.inline();
    }
    if let Some(after) = asked.expiry() {
        request = request.expires(after);
    }
    if let Some(rate) = asked.rate_limit() {
        request = request.rate(rate);
    }
    assert_eq!(block_on(request.serve(&get())).status(), 200);
    let seen = seen.lock().expect("not poisoned").take();
    seen.expect("delivered")
}

/// A picture whose own terms these are.
fn with_terms(terms: Terms) -> Download {
    let mut download = file("a").filename("a.png").content_type("image/png");
    if terms == terms.attachment() {
        download = download.attachment();
    }
    if terms.asks_inline() {
        download = download.inline();
    }
    if let Some(after) = terms.expiry() {
        download = download.expires(after);
    }
    if let Some(rate) = terms.rate_limit() {
        download = download.rate(rate);
    }
    download
}

fn expires(seconds: u64) -> Terms {
    Terms::new().expires(Duration::from_secs(seconds))
}

fn rate(bytes: u64) -> Terms {
    Terms::new().rate(NonZeroU64::new(bytes).expect("not zero"))
}

#[test]
fn the_strictest_of_the_four_sides_wins() {
    let none = Terms::new();
    let (inline, attachment) = (none.inline(), none.attachment());
    // record, request, admits, authorize -> granted
    for (record, asked, admits, authorize, expected) in [
        (none, none, none, none, none),
        (inline, none, none, none, inline),
        (none, inline, none, none, inline),
        (none, none, inline, none, inline),
        (none, none, none, inline, inline),
        (attachment, inline, inline, inline, attachment),
        (inline, inline, attachment, inline, attachment),
        (inline, inline, inline, attachment, attachment),
        (expires(9), expires(8), expires(7), expires(6), expires(6)),
        (expires(6), expires(7), expires(8), expires(9), expires(6)),
        (expires(9), expires(6), expires(7), expires(8), expires(6)),
        (expires(9), expires(8), expires(6), expires(7), expires(6)),
        (none, expires(60), none, none, expires(60)),
        (rate(10), rate(20), rate(30), rate(40), rate(10)),
        (rate(40), rate(10), rate(20), rate(30), rate(10)),
        (rate(40), rate(30), rate(10), rate(20), rate(10)),
        (rate(40), rate(30), rate(20), rate(10), rate(10)),
        (rate(5), expires(5), inline, attachment, attachment.stricter(rate(5)).stricter(expires(5))),
    ] {
        let (terms, disposition) = granted(record, asked, admits, authorize);
        assert_eq!(terms, expected, "{record:?} {asked:?} {admits:?} {authorize:?}");
        let kind = if expected.asks_inline() { "inline" } else { "attachment" };
        assert_eq!(disposition, format!("{kind}; filename=\"a.png\""));
    }
}

#[test]
fn a_request_cannot_loosen_what_it_asked_before() {
    let gate = Gate::builder(one(file("a")))
        .authorizer(support::allow::<(), Download>)
        .strategy(Strategy("terms", |grant: Grant, _: &RequestHead| {
            assert_eq!(grant.terms(), expires(5).stricter(rate(5)));
            Ok(Response::new(Body::empty()))
        }))
        .build();
    let [five, nine] = [5, 9].map(|n| NonZeroU64::new(n).expect("not zero"));
    let request = gate.request(&(), "known").expires(Duration::from_secs(5)).rate(five);
    let request = request.expires(Duration::from_secs(9)).rate(nine);
    assert_eq!(block_on(request.serve(&get())).status(), 200);
}

#[test]
fn terms_do_not_soften_a_denial() {
    for (admits, authorize, status) in [
        (Decision::AllowWith(Terms::new()), Decision::Deny(Denial::Default), 404),
        (Decision::Deny(Denial::Default), Decision::AllowWith(Terms::new()), 401),
    ] {
        let gate = Gate::builder(one(file("a")))
            .authorizer(Imposing { admits, authorize })
            .strategy(support::memory(b"x"))
            .build();
        assert_eq!(block_on(gate.request(&(), "known").inline().serve(&get())).status(), status);
    }
}

#[test]
fn a_row_at_hand_takes_terms_too() {
    let gate = Gate::builder(one(file("unused")))
        .authorizer(support::allow::<(), Download>)
        .strategy(support::memory(b"x"))
        .build();
    let row = file("a").content_type("text/plain");
    let shown = block_on(gate.request_record(&(), Some(&row)).inline().serve(&get()));
    assert_eq!(shown.headers()["content-disposition"], "inline; filename=\"download\"");
    let refusal = block_on(gate.request_record(&(), None).inline().try_serve(&get()));
    assert_eq!(support::refused(refusal).status(), 404);
}
