//! Events: one audit id for each request, in order, with the subject's label.

mod support;

use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::executor::block_on;
use http::{Method, Response};
use secure_download_core::{
    AuditId, Body, BoxError, Decision, Delivery, DeliveryError, DeliveryStrategy, Download, Event, FirstOf,
    Gate, Grant, Observer, RequestHead, ServedBy, find_with, signed_in,
};
use support::{Answer, Log, Strategy, allow, elsewhere, file, get, head, memory, observer, one, poll_once};

#[test]
fn every_request_tells_its_story() {
    let declining =
        || Strategy("accel", |grant: Grant, _: &RequestHead| Err(grant.decline("accel", "no proof")));
    let failing = Strategy("broken", |_: Grant, _: &RequestHead| {
        Err(DeliveryError::BadGateway(support::boxed("nonsense")))
    });
    let first_of = FirstOf::new(declining()).or(memory(b"text"));
    let handed = elsewhere(200, Delivery::HandedOff, "");
    let handed_with_body = elsewhere(200, Delivery::HandedOff, "for the proxy");
    let redirect = elsewhere(307, Delivery::Redirected, "");
    let redirect_with_body = elsewhere(302, Delivery::Redirected, "moved");
    let cases: [(_, Arc<dyn DeliveryStrategy>, _, &[&str]); 11] = [
        ("bytes", Arc::new(memory(b"text")), "known", &["granted a", "delivered memory Sent { bytes: 4 }"]),
        ("empty file", Arc::new(memory(b"")), "known", &["granted a", "delivered memory Sent { bytes: 0 }"]),
        (
            "second of two",
            Arc::new(first_of),
            "known",
            &["granted a", "declined accel: no proof", "delivered memory Sent { bytes: 4 }"],
        ),
        ("hand-off", Arc::new(handed), "known", &["granted a", "delivered elsewhere HandedOff"]),
        (
            "hand-off, body",
            Arc::new(handed_with_body),
            "known",
            &["granted a", "delivered elsewhere HandedOff"],
        ),
        ("redirect", Arc::new(redirect), "known", &["granted a", "delivered elsewhere Redirected"]),
        (
            "redirect, body",
            Arc::new(redirect_with_body),
            "known",
            &["granted a", "delivered elsewhere Redirected"],
        ),
        (
            "declined",
            Arc::new(declining()),
            "known",
            &["granted a", "declined accel: no proof", "refused 502 declined: no proof"],
        ),
        (
            "failed",
            Arc::new(failing),
            "known",
            &["granted a", "refused 502 storage answered wrongly: nonsense"],
        ),
        ("unknown", Arc::new(memory(b"")), "x", &["refused 404 the catalog has no such record"]),
        ("denied", Arc::new(memory(b"")), "denied", &["refused 404 the authorizer denied the record"]),
    ];
    for (case, strategy, id, expected) in cases {
        let log = Log::default();
        let mut catalog = one(file("a"));
        catalog.insert("denied".into(), file("denied"));
        let gate = Gate::builder(catalog)
            .authorizer(|(): &(), file: &Download| Decision::allow_if(file.key().as_str() != "denied"))
            .strategy(strategy)
            .observer(observer(&log))
            .build();
        drop(Answer::of(block_on(gate.serve(&(), id, &get()))));
        assert_eq!(log.take(), expected, "{case}");
    }
}

#[test]
fn not_modified_and_head_send_nothing() {
    let log = Log::default();
    let gate = Gate::builder(one(file("a")))
        .authorizer(allow::<(), Download>)
        .strategy(memory(b"text"))
        .observer(observer(&log))
        .build();
    for request in [
        head(&Method::HEAD, &[]),
        head(&Method::GET, &[("if-none-match", "*")]),
        head(&Method::GET, &[("if-match", "\"x\"")]),
        head(&Method::GET, &[("range", "bytes=9-")]),
    ] {
        drop(block_on(gate.serve(&(), "known", &request)));
        assert_eq!(log.take(), ["granted a", "delivered memory Sent { bytes: 0 }"], "{request:?}");
    }
}

/// Audit id, event, subject, id.
type Line = (AuditId, &'static str, Option<String>, Option<String>);

#[test]
fn events_carry_one_audit_id_the_label_and_the_id() {
    let lines = Arc::new(Mutex::new(Vec::<Line>::new()));
    let sink = Arc::clone(&lines);
    let gate = Gate::builder(one(file("a")))
        .authorizer(|user: &u64, _: &Download| Decision::allow_if(*user == 7))
        .strategy(
            FirstOf::new(Strategy("no", |grant: Grant, _: &RequestHead| Err(grant.decline("no", "no"))))
                .or(memory(b"text")),
        )
        .subject_label(|user: &u64| Cow::Owned(format!("user-{user}")))
        .observer(move |event: &Event<'_>| {
            let own = |text: &Option<&str>| text.map(ToOwned::to_owned);
            sink.lock().expect("not poisoned").push(match event {
                Event::Refused { audit_id, subject, id, .. } => (*audit_id, "refused", own(subject), own(id)),
                Event::Granted { audit_id, subject, id, .. } => (*audit_id, "granted", own(subject), own(id)),
                Event::Declined { audit_id, .. } => (*audit_id, "declined", None, None),
                Event::Delivered { audit_id, .. } => (*audit_id, "delivered", None, None),
                other => panic!("{other:?}"),
            });
        })
        .build();
    let label = |user: u64| Some(format!("user-{user}"));
    let known = Some("known".to_owned());
    let row = file("b");
    let mut ids = HashSet::new();
    for (user, id, expected) in [
        (
            7,
            "known",
            vec![("granted", label(7), known.clone()), ("declined", None, None), ("delivered", None, None)],
        ),
        (8, "known", vec![("refused", label(8), known)]),
        (8, "<script>", vec![("refused", label(8), Some("<script>".to_owned()))]),
        (7, "", vec![("granted", label(7), None), ("declined", None, None), ("delivered", None, None)]),
        (8, "", vec![("refused", label(8), None)]),
    ] {
        let response = if id.is_empty() {
            block_on(gate.serve_record(&user, Some(&row), &get()))
        } else {
            block_on(gate.serve(&user, id, &get()))
        };
        let served_by = response.extensions().get::<ServedBy>().copied();
        drop(Answer::of(response));
        let lines = std::mem::take(&mut *lines.lock().expect("not poisoned"));
        let audit_id = lines[0].0;
        assert!(lines.iter().all(|line| line.0 == audit_id));
        assert!(ids.insert(audit_id), "each request has its own id");
        let told: Vec<_> = lines.into_iter().map(|(_, event, subject, id)| (event, subject, id)).collect();
        assert_eq!(told, expected);
        // The extension names the strategy that served, not the one that combines, and no refusal carries it.
        let expected = (expected[0].0 == "granted").then_some(("memory", audit_id));
        assert_eq!(served_by.map(|served| (served.strategy(), served.audit_id())), expected);
        assert_eq!(audit_id.to_string().len(), 32);
    }
}

/// A strategy that never comes to an end.
struct Stuck;

#[async_trait]
impl DeliveryStrategy for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }

    async fn deliver(&self, _: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        std::future::pending().await
    }
}

#[test]
fn a_grant_whose_request_went_away_ends_too() {
    let log = Log::default();
    let gate = Gate::builder(one(file("a")))
        .authorizer(allow::<(), Download>)
        .strategy(Stuck)
        .observer(observer(&log))
        .build();
    let request = get();
    let mut serving = Box::pin(gate.serve(&(), "known", &request));
    assert!(poll_once(&mut serving).is_pending());
    assert_eq!(log.take(), ["granted a"]);
    drop(serving);
    assert_eq!(log.take(), ["delivered stuck Cut { bytes: 0 }"]);
}

#[test]
fn a_request_that_goes_away_undecided_is_told_too() {
    let log = Log::default();
    let gate = |find: fn() -> Option<Download>| {
        Gate::builder(find_with(move |id: &str| {
            let waits = id == "waits";
            async move {
                if waits {
                    std::future::pending::<()>().await;
                }
                Ok::<_, BoxError>(find())
            }
        }))
        .authorizer(allow::<(), Download>)
        .strategy(memory(b"text"))
        .observer(observer(&log))
        .build()
    };
    let request = get();
    let waiting = gate(|| None);
    let mut serving = Box::pin(waiting.serve(&(), "waits", &request));
    assert!(poll_once(&mut serving).is_pending());
    assert!(log.take().is_empty());
    drop(serving);
    let told = "refused 499 the request went away before it was decided";
    assert_eq!(log.take(), [told]);

    let panicking = gate(|| panic!("the look-up has a bug"));
    let served = catch_unwind(AssertUnwindSafe(|| block_on(panicking.serve(&(), "id", &request))));
    assert!(served.is_err());
    assert_eq!(log.take(), [told]);
}

#[test]
fn an_observer_that_panics_costs_its_event_and_no_download() {
    let strategies: [Arc<dyn DeliveryStrategy>; 3] = [
        Arc::new(memory(b"text")),
        Arc::new(elsewhere(200, Delivery::HandedOff, "")),
        Arc::new(
            FirstOf::new(Strategy("no", |grant: Grant, _: &RequestHead| Err(grant.decline("no", "no"))))
                .or(memory(b"text")),
        ),
    ];
    for strategy in strategies {
        let told = Log::default();
        let noted = told.clone();
        let gate = Gate::builder(one(file("a")))
            .authorizer(allow::<(), Download>)
            .strategy(strategy)
            .observer(move |event: &Event<'_>| {
                noted.note(format!("{event:?}").split(' ').next().unwrap_or_default());
                panic!("a bug of the observer's");
            })
            .build();
        for (method, id, status) in
            [(Method::GET, "known", 200), (Method::HEAD, "known", 200), (Method::GET, "x", 404)]
        {
            assert_eq!(Answer::of(block_on(gate.serve(&(), id, &head(&method, &[])))).status, status);
            let told = told.take();
            let (last, before) = told.split_last().expect("told");
            assert_eq!(last, if status == 200 { "Delivered" } else { "Refused" });
            assert!(!before.contains(last), "one end: {told:?}");
        }
    }
}

#[test]
fn an_end_says_what_was_told_to_whom() {
    let log = Log::default();
    let noted = log.clone();
    let gate = Gate::builder(one(file("a")))
        .authorizer(allow::<(), Download>)
        .strategy(memory(b"text"))
        .observer(move |event: &Event<'_>| match event {
            Event::Granted { method, .. } => noted.note(method.as_str()),
            Event::Delivered { status: Some(status), .. } => noted.note(status.as_str()),
            other => panic!("{other:?}"),
        })
        .build();
    for (method, fields, expected) in [
        (Method::GET, [("accept", "*/*")], ["GET", "200"]),
        (Method::HEAD, [("accept", "*/*")], ["HEAD", "200"]),
        (Method::GET, [("range", "bytes=1-2")], ["GET", "206"]),
        (Method::GET, [("range", "bytes=9-")], ["GET", "416"]),
        (Method::GET, [("if-none-match", "*")], ["GET", "304"]),
        (Method::GET, [("if-match", "\"x\"")], ["GET", "412"]),
    ] {
        drop(Answer::of(block_on(gate.serve(&(), "known", &head(&method, &fields)))));
        assert_eq!(log.take(), expected);
    }
}

#[test]
fn audit_ids_do_not_count_requests() {
    let log = Log::default();
    let noted = log.clone();
    let gate = Gate::builder(one(file("a")))
        .authorizer(allow::<(), Download>)
        .strategy(memory(b"text"))
        .observer(move |event: &Event<'_>| {
            if let Event::Granted { audit_id, .. } = event {
                noted.note(audit_id.to_string());
            }
        })
        .build();
    let mut halves = HashSet::new();
    for _ in 0..100 {
        drop(block_on(gate.serve(&(), "known", &get())));
        let id = log.take().concat();
        let (first, second) = id.split_at(16);
        assert!(halves.insert(first.to_owned()) && halves.insert(second.to_owned()), "{id}");
    }
}

#[test]
fn a_refusal_before_the_catalog_names_the_id_that_was_asked_for() {
    let log = Log::default();
    let ids = log.clone();
    let gate = Gate::builder(one(file("a")))
        .authorizer(allow::<(), Download>)
        .strategy(memory(b"x"))
        .observer(move |event: &Event<'_>| {
            if let Event::Refused { id, subject, .. } = event {
                ids.note(format!("{id:?} {subject:?}"));
            }
        })
        .build();
    drop(block_on(gate.serve(&(), "a\nb", &head(&Method::POST, &[]))));
    assert_eq!(log.take(), ["Some(\"a\\nb\") None"]);
}

/// Says whether it takes note, as often as it is asked.
struct Picky(Log, fn() -> Result<(), BoxError>);

impl Observer for Picky {
    fn observe(&self, event: &Event<'_>) {
        observer(&self.0)(event);
    }

    fn ready(&self) -> Result<(), BoxError> {
        self.0.note("ready?");
        (self.1)()
    }
}

#[test]
fn an_observer_that_is_not_ready_refuses_what_would_be_granted() {
    let full = || Err(support::boxed("the disk is full"));
    type Ready = fn() -> Result<(), BoxError>;
    let cases: [(Ready, _); 3] = [
        (|| Ok(()), None),
        (full, Some("refused 503 an observer takes note of no download: the disk is full")),
        (
            || panic!("a bug"),
            Some("refused 503 an observer takes note of no download: the observer panicked"),
        ),
    ];
    for (ready, refused) in cases {
        let log = Log::default();
        let shared = |log: &Log| Arc::new(Picky(log.clone(), ready));
        for pair in [false, true] {
            let builder = Gate::builder(one(file("a")))
                .authorizer(signed_in(|user: &u64, _: &Download| Decision::allow_if(*user == 7)))
                .strategy(memory(b"text"));
            let gate = if pair {
                builder.observer((|_: &Event<'_>| {}, (shared(&log), |_: &Event<'_>| {}))).build()
            } else {
                builder.observer(shared(&log)).build()
            };
            for method in [Method::GET, Method::HEAD] {
                let request = head(&method, &[]);
                let response = block_on(gate.serve(&Some(7), "known", &request));
                let Some(refused) = refused else {
                    assert_eq!(response.status(), 200);
                    drop(Answer::of(response));
                    let told = log.take();
                    assert_eq!((told[0].as_str(), told[1].as_str(), told.len()), ("ready?", "granted a", 3));
                    continue;
                };
                assert_eq!(response.status(), 503);
                assert!(response.headers().contains_key("retry-after"));
                drop(Answer::of(response));
                assert_eq!(log.take(), ["ready?", refused]);
            }
            // What is refused otherwise stays so, and nobody learns of the log.
            for (user, id, status) in [(None, "known", 401), (Some(8), "known", 404), (Some(7), "x", 404)] {
                assert_eq!(block_on(gate.serve(&user, id, &get())).status(), status);
                assert_eq!(log.take().len(), 1);
            }
        }
    }
}
