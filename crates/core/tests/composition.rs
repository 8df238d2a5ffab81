//! Everything can be a closure, shared, boxed away behind `dyn`, and combined.

mod support;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::executor::block_on;
use http::Response;
use secure_download_core::{
    Authorizer, Availability, Body, BoxError, Catalog, Concurrency, ContentPolicy, Decision, DeliveryError,
    DeliveryStrategy, Denial, Download, Event, FileKey, FirstOf, Gate, Grant, Masking, Observer, Record,
    RequestHead, Route, Router, ServedBy, Terms, UrlSigner, UsageLimit, Use, authorize_with, find_with,
    signed_in,
};
use support::{Log, Strategy, allow, boxed, file, get, memory, observer, one, refused};

#[derive(Clone)]
struct User(&'static str);

fn is_alice(user: &User, _: &Download) -> Decision {
    Decision::allow_if(user.0 == "alice")
}

type Rule = Arc<dyn Authorizer<User, Download>>;

/// The same rule in every form that an app may write it in.
fn forms_of_the_rule() -> Vec<(&'static str, Rule)> {
    struct Written;
    #[async_trait]
    impl Authorizer<User, Download> for Written {
        async fn authorize(&self, user: &User, file: &Download) -> Result<Decision, BoxError> {
            Ok(is_alice(user, file))
        }
    }
    let shared: Rule = Arc::new(Written);
    let database = Arc::new(vec!["alice"]);
    let looked_up = authorize_with(move |user: &User, _: &Download| {
        let (database, name) = (Arc::clone(&database), user.0);
        async move {
            // As a real look-up does, it comes back later.
            futures::pending!();
            Ok(Decision::allow_if(database.contains(&name)))
        }
    });
    vec![
        ("a function", Arc::new(is_alice)),
        ("a closure", Arc::new(|user: &User, file: &Download| is_alice(user, file))),
        ("a type", Arc::new(Written)),
        ("a shared trait object", Arc::new(shared)),
        ("an async closure", Arc::new(looked_up)),
    ]
}

/// Polls to the end, however often the future only yields.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

#[test]
fn a_rule_may_be_written_in_many_ways() {
    for (form, rule) in forms_of_the_rule() {
        let gate = Gate::builder(one(file("a"))).authorizer(rule).strategy(memory(b"text")).build();
        for (user, status) in [("alice", 200), ("bob", 404)] {
            let answer = finish(gate.serve(&User(user), "known", &get()));
            assert_eq!(answer.status(), status, "{form}: {user}");
        }
    }
}

#[test]
fn signed_in_wraps_any_of_them() {
    for (form, rule) in forms_of_the_rule() {
        let gate =
            Gate::builder(one(file("a"))).authorizer(signed_in(rule)).strategy(memory(b"text")).build();
        for (subject, status) in [(None, 401), (Some(User("alice")), 200), (Some(User("bob")), 404)] {
            assert_eq!(finish(gate.serve(&subject, "known", &get())).status(), status, "{form}");
            let unknown = if subject.is_none() { 401 } else { 404 };
            assert_eq!(finish(gate.serve(&subject, "x", &get())).status(), unknown, "{form}");
        }
    }
}

/// Admits alice alone.
struct AdmitsAlice;

#[async_trait]
impl Authorizer<User, Download> for AdmitsAlice {
    async fn admits(&self, user: &User) -> Result<Decision, BoxError> {
        Ok(is_alice(user, &file("a")))
    }

    async fn authorize(&self, _: &User, _: &Download) -> Result<Decision, BoxError> {
        Ok(Decision::Allow)
    }
}

#[test]
fn whoever_wraps_a_rule_asks_whom_it_admits() {
    let shared: Rule = Arc::new(AdmitsAlice);
    type Wrapped = Arc<dyn Authorizer<Option<User>, Download>>;
    let forms: [(&str, Wrapped); 3] = [
        ("signed in", Arc::new(signed_in(AdmitsAlice))),
        ("signed in, shared inside", Arc::new(signed_in(shared))),
        ("signed in, shared twice", Arc::new(Arc::new(signed_in(AdmitsAlice)) as Wrapped)),
    ];
    for (form, rule) in forms {
        for (subject, decision) in [
            (Some(User("alice")), Decision::Allow),
            (Some(User("bob")), Decision::Deny(Denial::Default)),
            (None, Decision::Deny(Denial::Default)),
        ] {
            assert_eq!(finish(rule.admits(&subject)).expect("decided"), decision, "{form}");
        }
        let gate = Gate::builder(one(file("a"))).authorizer(rule).strategy(memory(b"text")).build();
        for id in ["known", "unknown"] {
            assert_eq!(finish(gate.serve(&Some(User("bob")), id, &get())).status(), 401, "{form}");
        }
    }
}

#[test]
fn a_catalog_may_be_a_map_a_closure_or_shared() {
    let map = || one(file("a"));
    let closure = find_with(|id: &str| {
        let found = (id == "known").then(|| file("a"));
        async move { Ok(found) }
    });
    let failing = find_with(|_: &str| async { Err::<Option<Download>, _>(boxed("the database is down")) });
    let shared: Arc<dyn Catalog<Record = Download>> = Arc::new(map());
    let catalogs: [(Arc<dyn Catalog<Record = Download>>, u16, u16); 4] = [
        (Arc::new(map()), 200, 404),
        (Arc::new(closure), 200, 404),
        (shared, 200, 404),
        (Arc::new(failing), 503, 503),
    ];
    for (catalog, known, unknown) in catalogs {
        let gate = Gate::builder(catalog).authorizer(allow::<(), Download>).strategy(memory(b"text")).build();
        assert_eq!(block_on(gate.serve(&(), "known", &get())).status(), known);
        assert_eq!(block_on(gate.serve(&(), "x", &get())).status(), unknown);
    }
}

fn declining(name: &'static str) -> impl DeliveryStrategy {
    Strategy(name, move |grant: Grant, _: &RequestHead| Err(grant.decline(name, "not mine")))
}

fn served_by(strategy: impl DeliveryStrategy + 'static, record: Download) -> (u16, Option<&'static str>) {
    let gate = Gate::builder(one(record)).authorizer(allow::<(), Download>).strategy(strategy).build();
    let response = block_on(gate.serve(&(), "known", &get()));
    (response.status().as_u16(), response.extensions().get().map(ServedBy::strategy))
}

#[test]
fn the_first_that_does_not_decline_serves() {
    let failing =
        Strategy("failing", |_: Grant, _: &RequestHead| Err(DeliveryError::BadGateway(boxed("nonsense"))));
    let first_of = FirstOf::new(declining("accel")).or(declining("presign")).or(memory(b"text"));
    assert_eq!(first_of.explain(), ["accel", "presign", "memory"]);
    assert_eq!(served_by(first_of, file("a")), (200, Some("memory")));
    assert_eq!(served_by(FirstOf::new(declining("a")).or(declining("b")), file("a")), (502, None));
    // An error is no decline: the next strategy is not asked to hide it.
    assert_eq!(served_by(FirstOf::new(failing).or(memory(b"text")), file("a")), (502, None));
    let nested = FirstOf::new(FirstOf::new(declining("a")).or(declining("b"))).or(memory(b"text"));
    assert_eq!(served_by(nested, file("a")), (200, Some("memory")));
}

#[test]
fn a_router_takes_the_first_rule_that_holds() {
    let router = Router::otherwise(memory(b"small"))
        .when("large", |file| file.known_length().is_some_and(|length| length > 10), declining("presign"))
        .when("public", |file| file.volume_name() == Some("public"), memory(b"public"));
    for (record, rule, strategy) in [
        (file("a"), "otherwise", "memory"),
        (file("a").length(10), "otherwise", "memory"),
        (file("a").length(11), "large", "presign"),
        (file("a").length(11).volume("public"), "large", "presign"),
        (file("a").volume("public"), "public", "memory"),
    ] {
        assert_eq!(router.explain(&record), Route { rule, strategy });
        let status = if strategy == "presign" { 502 } else { 200 };
        assert_eq!(served_by(router.clone(), record).0, status, "{rule}");
    }
    assert_eq!(format!("{router:?}"), r#"{"large": "presign", "public": "memory", "otherwise": "memory"}"#);
}

#[test]
fn public_types_travel_between_threads() {
    fn check<T: Send + Sync + 'static>() {}
    fn check_send<T: Send + 'static>() {}
    check::<Gate<Option<User>, Download>>();
    check::<Gate<str, Download>>();
    check::<Arc<dyn DeliveryStrategy>>();
    check::<Arc<dyn Authorizer<User>>>();
    check::<Arc<dyn Catalog<Record = Download>>>();
    check::<Arc<dyn UrlSigner>>();
    check::<Arc<dyn Observer>>();
    check::<RequestHead>();
    check::<FileKey>();
    check::<ContentPolicy>();
    check::<(Terms, Masking, Denial)>();
    check_send::<Grant>();
    check_send::<Body>();
    check_send::<Response<Body>>();
    check_send::<DeliveryError>();
}

#[test]
fn an_observer_may_be_a_closure_and_a_gate_be_cloned() {
    let log = Log::default();
    let gate = Gate::builder(one(file("a")))
        .authorizer(allow::<(), Download>)
        .strategy(memory(b"text"))
        .observer({
            let log = log.clone();
            move |event: &Event<'_>| {
                if let Event::Granted { key, .. } = event {
                    log.note(key.as_str());
                }
            }
        })
        .build();
    let clone = gate.clone();
    drop(gate);
    drop(block_on(clone.serve(&(), "known", &get())));
    assert_eq!(log.take(), ["a"]);
}

#[test]
fn two_observers_hear_the_same() {
    let (one_log, two_log) = (Log::default(), Log::default());
    let gate = Gate::builder(one(file("a")))
        .authorizer(allow::<(), Download>)
        .strategy(memory(b"text"))
        .observer((observer(&one_log), observer(&two_log)))
        .build();
    drop(block_on(gate.serve(&(), "known", &get())));
    let heard = one_log.take();
    assert_eq!(heard.len(), 2, "granted, delivered");
    assert_eq!(heard, two_log.take());
}

#[test]
fn what_is_printed_for_debugging_shows_no_record() {
    let caps = Concurrency::new(7).per_subject(2, str::to_owned);
    let caps_shown = format!("{caps:?}");
    assert_eq!(caps_shown, "Concurrency { total: 7, per_subject: Some(2), .. }");
    let builder = Gate::builder(one(file("key").filename("hunter2.pdf")));
    let mut shown = format!("{builder:?}");
    let builder = builder.authorizer(allow::<str, Download>).concurrency(caps);
    shown += &format!("{builder:?}");
    let log = Log::default();
    let noted = log.clone();
    let builder = builder.strategy(Strategy("memory", move |grant: Grant, _: &RequestHead| {
        noted.note(format!("{grant:?}"));
        Ok(Response::new(Body::empty()))
    }));
    shown += &format!("{builder:?}");
    let gate = builder.build();
    shown += &format!("{gate:?} {:?} {:?}", gate.request("hunter2", "hunter2"), Body::full("hunter2"));
    let refusal = refused(block_on(gate.try_serve("hunter2", "hunter2", &get())));
    shown += &format!("{refusal:?} {refusal}");
    drop(block_on(gate.serve("hunter2", "known", &get())));
    let grant = log.take().concat();
    assert!(grant.contains("key") && !grant.contains("hunter2.pdf"), "the key alone: {grant}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("memory") && shown.contains(&caps_shown) && shown.contains("404"), "{shown}");
}

#[test]
fn a_key_is_parsed_like_any_other_text() {
    assert_eq!("a/b".parse::<FileKey>(), FileKey::parse("a/b"));
    assert_eq!(FileKey::try_from("a/b"), FileKey::parse("a/b"));
    assert!("a/../b".parse::<FileKey>().is_err() && FileKey::try_from("/a").is_err());
}

/// Rows behind `Arc`, and every part of a gate behind `Arc` or `Box`.
#[test]
fn parts_and_rows_may_be_shared_or_boxed() {
    let row: Arc<dyn Record> = Arc::new(Box::new(file("a")));
    let rows = HashMap::from([("known".to_owned(), row)]);
    let catalog: Box<dyn Catalog<Record = Arc<dyn Record>>> = Box::new(rows);
    let strategy: Box<dyn DeliveryStrategy> = Box::new(memory(b"text"));
    let limit: Arc<dyn UsageLimit<(), Arc<dyn Record>>> = Arc::new(NoUses);
    let shared: Arc<dyn DeliveryStrategy> = Arc::from(strategy);
    let gate = |limited: bool| {
        let gate = Gate::builder(Arc::new(HashMap::from([("known".to_owned(), file("a"))])))
            .authorizer(allow::<(), Download>)
            .strategy(Arc::clone(&shared));
        if limited { gate.usage_limit(Arc::new(NoUses)).build() } else { gate.build() }
    };
    assert_eq!(finish(gate(false).serve(&(), "known", &get())).status(), 200);
    assert_eq!(finish(gate(true).serve(&(), "known", &get())).status(), 404);
    let gate =
        Gate::builder(catalog).authorizer(allow::<(), Arc<dyn Record>>).strategy(shared).usage_limit(limit);
    assert_eq!(finish(gate.build().serve(&(), "known", &get())).status(), 404);
}

/// Every use is spent.
struct NoUses;

#[async_trait]
impl<S: Sync + ?Sized, R: Sync + ?Sized> UsageLimit<S, R> for NoUses {
    async fn reserve(&self, _: &S, _: &R) -> Result<Use, BoxError> {
        Ok(Use::Spent)
    }

    async fn look(&self, _: &S, _: &R) -> Result<Availability, BoxError> {
        Ok(Availability::Spent)
    }
}
