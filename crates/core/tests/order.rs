//! The order of the gate's steps: nothing later is called once one refuses.

mod support;

use async_trait::async_trait;
use futures::executor::block_on;
use http::{Method, Response};
use secure_download_core::{
    Authorizer, Availability, Body, BoxError, Catalog, Decision, Denial, Download, Gate, Grant, Record,
    RequestHead, Reservation, UsageLimit, Use,
};
use support::{Answer, Log, Strategy, allow, boxed, file, head, one};

/// What each step answers.
#[derive(Clone, Copy)]
struct Script {
    admits: Result<Decision, &'static str>,
    find: Result<bool, &'static str>,
    authorize: Result<Decision, &'static str>,
    reserve: Result<bool, &'static str>,
}

const ALL_ALLOW: Script =
    Script { admits: Ok(Decision::Allow), find: Ok(true), authorize: Ok(Decision::Allow), reserve: Ok(true) };

struct Fake(Script, Log);

#[derive(Clone)]
struct Row(Log);

impl Record for Row {
    fn download(&self) -> Download {
        self.0.note("download");
        file("a/b")
    }
}

#[async_trait]
impl Catalog for Fake {
    type Record = Row;

    async fn find(&self, id: &str) -> Result<Option<Row>, BoxError> {
        self.1.note(format!("find {id}"));
        Ok(self.0.find.map_err(boxed)?.then(|| Row(self.1.clone())))
    }
}

#[async_trait]
impl Authorizer<str, Row> for Fake {
    async fn admits(&self, subject: &str) -> Result<Decision, BoxError> {
        self.1.note(format!("admits {subject}"));
        self.0.admits.map_err(boxed)
    }

    async fn authorize(&self, subject: &str, _: &Row) -> Result<Decision, BoxError> {
        self.1.note(format!("authorize {subject}"));
        self.0.authorize.map_err(boxed)
    }
}

struct Spend(Log);

#[async_trait]
impl Reservation for Spend {
    async fn commit(self: Box<Self>) -> Result<(), BoxError> {
        self.0.note("commit");
        Ok(())
    }

    fn release(self: Box<Self>) {
        self.0.note("release");
    }
}

#[async_trait]
impl UsageLimit<str, Row> for Fake {
    async fn reserve(&self, subject: &str, _: &Row) -> Result<Use, BoxError> {
        self.1.note(format!("reserve {subject}"));
        let free = self.0.reserve.map_err(boxed)?;
        Ok(if free { Use::Reserved(Box::new(Spend(self.1.clone()))) } else { Use::Spent })
    }

    async fn look(&self, subject: &str, _: &Row) -> Result<Availability, BoxError> {
        self.1.note(format!("look {subject}"));
        let free = self.0.reserve.map_err(boxed)?;
        Ok(if free { Availability::Limited } else { Availability::Spent })
    }
}

fn gate(script: Script, log: &Log) -> Gate<str, Row> {
    let deliver = log.clone();
    Gate::builder(Fake(script, log.clone()))
        .authorizer(Fake(script, log.clone()))
        .strategy(Strategy("fake", move |grant: Grant, _: &RequestHead| {
            deliver.note(format!("deliver {}", grant.download().key()));
            Ok(Response::new(Body::empty()))
        }))
        .usage_limit(Fake(script, log.clone()))
        .build()
}

const UP_TO_ADMITS: &[&str] = &["admits alice"];
const UP_TO_FIND: &[&str] = &["admits alice", "find 7"];
const UP_TO_AUTHORIZE: &[&str] = &["admits alice", "find 7", "authorize alice"];
const UP_TO_RESERVE: &[&str] = &["admits alice", "find 7", "authorize alice", "reserve alice"];

#[test]
fn each_step_runs_only_if_all_before_it_said_yes() {
    let all = &[UP_TO_RESERVE, &["download", "deliver a/b", "commit"]].concat();
    let deny = |denial| Ok(Decision::Deny(denial));
    let s = ALL_ALLOW;
    for (case, script, status, steps) in [
        ("all allow", s, 200, &all[..]),
        ("not admitted", Script { admits: deny(Denial::Default), ..s }, 401, UP_TO_ADMITS),
        ("not admitted, hidden", Script { admits: deny(Denial::Hidden), ..s }, 404, UP_TO_ADMITS),
        ("not admitted, forbidden", Script { admits: deny(Denial::Forbidden), ..s }, 403, UP_TO_ADMITS),
        ("admits fails", Script { admits: Err("down"), ..s }, 503, UP_TO_ADMITS),
        ("unknown id", Script { find: Ok(false), ..s }, 404, UP_TO_FIND),
        ("catalog fails", Script { find: Err("down"), ..s }, 503, UP_TO_FIND),
        ("denied", Script { authorize: deny(Denial::Default), ..s }, 404, UP_TO_AUTHORIZE),
        ("denied, forbidden", Script { authorize: deny(Denial::Forbidden), ..s }, 403, UP_TO_AUTHORIZE),
        ("authorize fails", Script { authorize: Err("down"), ..s }, 503, UP_TO_AUTHORIZE),
        ("spent", Script { reserve: Ok(false), ..s }, 404, UP_TO_RESERVE),
        ("limit fails", Script { reserve: Err("down"), ..s }, 503, UP_TO_RESERVE),
    ] {
        let log = Log::default();
        let response = block_on(gate(script, &log).serve("alice", "7", &support::get()));
        assert_eq!(response.status(), status, "{case}");
        assert_eq!(log.take(), steps, "{case}");
    }
}

#[test]
fn a_row_at_hand_takes_the_same_way_without_the_look_up() {
    let deny = Ok(Decision::Deny(Denial::Default));
    let steps: &[&str] =
        &["admits alice", "authorize alice", "reserve alice", "download", "deliver a/b", "commit"];
    for (case, script, row, status, steps) in [
        ("row", ALL_ALLOW, true, 200, steps),
        ("no row", ALL_ALLOW, false, 404, &steps[..1]),
        ("not admitted", Script { admits: deny, ..ALL_ALLOW }, true, 401, &steps[..1]),
        ("not admitted, no row", Script { admits: deny, ..ALL_ALLOW }, false, 401, &steps[..1]),
        ("denied", Script { authorize: deny, ..ALL_ALLOW }, true, 404, &steps[..2]),
    ] {
        let log = Log::default();
        let row = row.then(|| Row(log.clone()));
        let response = block_on(gate(script, &log).serve_record("alice", row.as_ref(), &support::get()));
        assert_eq!(response.status(), status, "{case}");
        assert_eq!(log.take(), steps, "{case}");
    }
}

#[test]
fn other_methods_are_refused_before_anything_is_asked() {
    let log = Log::default();
    let gate = gate(ALL_ALLOW, &log);
    for method in
        ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "QUERY"]
    {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let response = block_on(gate.serve("alice", "7", &head(&method, &[])));
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()["allow"], "GET, HEAD", "{method}");
        assert_eq!(log.take(), Vec::<String>::new(), "{method}");
    }
}

#[test]
fn method_overrides_are_ignored() {
    let log = Log::default();
    let gate = gate(ALL_ALLOW, &log);
    let overridden =
        [("x-http-method-override", "GET"), ("x-method-override", "GET"), ("x-http-method", "GET")];
    assert_eq!(block_on(gate.serve("alice", "7", &head(&Method::POST, &overridden))).status(), 405);
    assert_eq!(log.take(), Vec::<String>::new());
}

#[test]
fn head_looks_where_get_reserves() {
    let log = Log::default();
    let response = block_on(gate(ALL_ALLOW, &log).serve("alice", "7", &head(&Method::HEAD, &[])));
    assert_eq!(response.status(), 200);
    assert_eq!(
        log.take(),
        ["admits alice", "find 7", "authorize alice", "look alice", "download", "deliver a/b"]
    );
}

#[test]
fn a_strategy_that_sends_bytes_on_head_is_cut() {
    let strategy = Strategy("careless", |_: Grant, _: &RequestHead| Ok(Response::new(Body::full("text"))));
    let gate = Gate::builder(one(file("a"))).authorizer(allow::<(), Download>).strategy(strategy).build();
    for (method, body) in [(Method::GET, "text"), (Method::HEAD, "")] {
        let answer = Answer::of(block_on(gate.serve(&(), "known", &head(&method, &[]))));
        assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, body.as_bytes()), "{method}");
    }
}
