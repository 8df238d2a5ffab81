//! What a refused client sees: its status and nothing else.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::executor::block_on;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use secure_download_core::{
    Authorizer, BoxError, ContentPolicy, CrossOriginPolicy, Decision, DeliveryError, Denial, Download, Gate,
    Grant, Masking, Reason, RefusalPage, RequestHead, find_with, signed_in,
};
use support::{Answer, Strategy, allow, boxed, file, get, head, memory, one, refused};

/// Some subject's decision about the one record, `None` for anonymous.
type Subject = Option<Decision>;

fn gate(masking: Masking) -> Gate<Subject, Download> {
    Gate::builder(one(file("secret/name.pdf").filename("secret.pdf").length(9)))
        .authorizer(signed_in(|decision: &Decision, _: &Download| *decision))
        .strategy(memory(b"some text"))
        .masking(masking)
        .build()
}

fn ask(gate: &Gate<Subject, Download>, subject: &Subject, id: &str, method: &Method) -> Answer {
    Answer::of(block_on(gate.serve(subject, id, &head(method, &[("range", "bytes=0-1")]))))
}

#[test]
fn anonymous_subjects_see_the_same_401_for_every_id() {
    let gate = gate(Masking::Hidden);
    for (method, body) in [(Method::GET, "401 Unauthorized\n"), (Method::HEAD, "")] {
        let known = ask(&gate, &None, "known", &method);
        assert_eq!(known, ask(&gate, &None, "unknown", &method));
        assert_eq!((known.status.as_u16(), known.body.as_slice()), (401, body.as_bytes()));
        assert_eq!(
            known.fields(),
            [
                ("cache-control", "no-store"),
                ("cdn-cache-control", "no-store"),
                ("content-length", "17"),
                ("content-type", "text/plain; charset=utf-8"),
                ("cross-origin-resource-policy", "same-origin"),
                ("referrer-policy", "no-referrer"),
                ("www-authenticate", "Session realm=\"downloads\""),
                ("x-content-type-options", "nosniff"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}

#[test]
fn denials_show_as_denial_and_masking_say() {
    for (masking, denial, status) in [
        (Masking::Hidden, Denial::Default, 404),
        (Masking::Hidden, Denial::Hidden, 404),
        (Masking::Hidden, Denial::Forbidden, 403),
        (Masking::Forbidden, Denial::Default, 403),
        (Masking::Forbidden, Denial::Hidden, 404),
        (Masking::Forbidden, Denial::Forbidden, 403),
    ] {
        let gate = gate(masking);
        for method in [Method::GET, Method::HEAD] {
            let denied = ask(&gate, &Some(Decision::Deny(denial)), "known", &method);
            assert_eq!(denied.status, status, "{masking:?} {denial:?}");
            assert_eq!(denied.body.is_empty(), method == Method::HEAD);
            if status == 404 {
                let unknown = ask(&gate, &Some(Decision::Allow), "unknown", &method);
                assert_eq!(denied, unknown, "{masking:?} {denial:?} {method}");
                let no_row = block_on(gate.serve_record(&Some(Decision::Allow), None, &head(&method, &[])));
                assert_eq!(Answer::of(no_row), unknown, "{masking:?} {denial:?} {method}");
            }
        }
    }
}

#[test]
fn a_head_refusal_announces_the_length_of_the_get_refusal() {
    let gate = gate(Masking::Hidden);
    let post = ask(&gate, &Some(Decision::Allow), "known", &Method::POST);
    assert_eq!(post.header("content-length"), Some(post.body.len().to_string().as_str()));
    for (subject, id) in [(None, "known"), (Some(Decision::Allow), "unknown")] {
        let (get, head) = (ask(&gate, &subject, id, &Method::GET), ask(&gate, &subject, id, &Method::HEAD));
        assert_eq!(get.header("content-length"), Some(get.body.len().to_string().as_str()));
        assert_eq!((get.status, get.headers), (head.status, head.headers));
        assert!(!get.body.is_empty() && head.body.is_empty());
    }
}

#[test]
fn the_renderer_is_called_once_for_each_status_and_never_again() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let gate = Gate::builder(one(file("a")))
        .authorizer(signed_in(|decision: &Decision, _: &Download| *decision))
        .strategy(memory(b"x"))
        .refusals(move |status| {
            seen.lock().expect("not poisoned").push(status.as_u16());
            RefusalPage::html(format!("<h1>{}</h1>", status.as_u16()))
        })
        .build();
    let expected = [401, 403, 404, 405, 500, 502, 503];
    let rendered = || {
        let mut calls = calls.lock().expect("not poisoned").clone();
        calls.sort_unstable();
        calls
    };
    assert_eq!(rendered(), expected);
    for (subject, id, method, status) in [
        (None, "known", Method::GET, 401),
        (Some(Decision::Deny(Denial::Forbidden)), "known", Method::GET, 403),
        (Some(Decision::Deny(Denial::Default)), "known", Method::GET, 404),
        (Some(Decision::Allow), "unknown", Method::GET, 404),
        (Some(Decision::Allow), "known", Method::DELETE, 405),
    ] {
        let answer = ask(&gate, &subject, id, &method);
        assert_eq!(answer.body, format!("<h1>{status}</h1>").as_bytes());
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    }
    assert_eq!(rendered(), expected);
}

#[test]
fn the_gates_own_headers_win_over_the_pages() {
    let lies = [
        ("cache-control", "public, max-age=9"),
        ("cdn-cache-control", "max-age=9"),
        ("content-length", "3"),
        ("x-content-type-options", "none"),
        ("referrer-policy", "unsafe-url"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("www-authenticate", "Basic"),
        ("allow", "POST"),
        ("retry-after", "99999"),
    ];
    let gate = Gate::builder(find_with(|id: &str| {
        let id = id.to_owned();
        async move { if id == "broken" { Err(boxed("down")) } else { Ok(Some(file("a"))) } }
    }))
    .authorizer(signed_in(|decision: &Decision, _: &Download| *decision))
    .strategy(memory(b"x"))
    .challenge(HeaderValue::from_static("Bearer"))
    .content_policy(ContentPolicy::new().cross_origin(CrossOriginPolicy::SameSite))
    .refusals(move |_| {
        lies.iter()
            .fold(RefusalPage::problem_json("{}"), |page, (name, value)| {
                page.header(HeaderName::from_static(name), HeaderValue::from_static(value))
            })
            .header(HeaderName::from_static("content-security-policy"), HeaderValue::from_static("sandbox"))
    })
    .build();
    let allowed = Some(Decision::Allow);
    for (subject, id, method, own) in [
        (None, "x", Method::GET, Some(("www-authenticate", "Bearer"))),
        (allowed, "x", Method::POST, Some(("allow", "GET, HEAD"))),
        (allowed, "broken", Method::GET, Some(("retry-after", "5"))),
        (Some(Decision::Deny(Denial::Default)), "x", Method::GET, None),
    ] {
        let answer = ask(&gate, &subject, id, &method);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("cdn-cache-control", "no-store"),
            ("content-length", "2"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-site"),
            ("content-type", "application/problem+json"),
            ("content-security-policy", "sandbox"),
        ]
        .into_iter()
        .chain(own)
        {
            assert_eq!(answer.header(name), Some(value), "{} {name}", answer.status);
        }
    }
}

/// An authorizer that cannot say.
struct Undecided {
    fails_to_admit: bool,
}

#[async_trait]
impl Authorizer<(), Download> for Undecided {
    async fn admits(&self, (): &()) -> Result<Decision, BoxError> {
        if self.fails_to_admit { Err(boxed("hunter2")) } else { Ok(Decision::Allow) }
    }

    async fn authorize(&self, (): &(), _: &Download) -> Result<Decision, BoxError> {
        Err(boxed("hunter2"))
    }
}

#[test]
fn errors_never_grant_and_never_show() {
    let failing = |retry_after| {
        move |_: Grant, _: &RequestHead| {
            Err(DeliveryError::Unavailable { retry_after, source: boxed("hunter2") })
        }
    };
    let catalog = Gate::builder(find_with(|_: &str| async { Err::<Option<Download>, _>(boxed("hunter2")) }))
        .authorizer(allow::<(), Download>)
        .strategy(memory(b"x"))
        .build();
    let store = |retry_after| {
        Gate::builder(one(file("a")))
            .authorizer(allow::<(), Download>)
            .strategy(Strategy("failing", failing(retry_after)))
            .build()
    };
    let authorizer = |fails_to_admit| {
        Gate::builder(one(file("a"))).authorizer(Undecided { fails_to_admit }).strategy(memory(b"x")).build()
    };
    for (case, gate, after, logged) in [
        ("catalog", catalog, "5", "the catalog failed: hunter2"),
        ("authorizer", authorizer(false), "5", "the authorizer failed: "),
        ("authorizer, before the look-up", authorizer(true), "5", "the authorizer failed: "),
        ("store", store(None), "5", "hunter2"),
        ("store, zero", store(Some(Duration::ZERO)), "1", "hunter2"),
        ("store, whole", store(Some(Duration::from_secs(30))), "30", "hunter2"),
        ("store, rounded up", store(Some(Duration::from_millis(1_001))), "2", "hunter2"),
    ] {
        let refusal = refused(block_on(gate.try_serve(&(), "known", &get())));
        assert!(refusal.reason().to_string().contains(logged), "{case}: {}", refusal.reason());
        let answer = Answer::of(block_on(gate.serve(&(), "known", &get())));
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some(after)), "{case}");
        assert_eq!(answer.body, b"503 Service Unavailable\n", "{case}");
        assert!(!format!("{:?}", answer.headers).contains("hunter2"), "{case}");
    }
}

#[test]
fn try_serve_gives_the_refusal_as_a_value() {
    let gate = gate(Masking::Hidden);
    let denied = Some(Decision::Deny(Denial::Default));
    let refusal = refused(block_on(gate.try_serve(&denied, "known", &get())));
    assert!(matches!(refusal.reason(), Reason::Denied(Denial::Default)));
    assert_eq!(refusal.status(), StatusCode::NOT_FOUND);
    assert_eq!(refusal.to_string(), "refused with 404 Not Found");
    let response = Answer::of(refusal.into_response(&get()));
    assert_eq!(response, Answer::of(block_on(gate.serve(&denied, "unknown", &get()))));
    for (subject, id, method, expected) in [
        (None, "known", Method::GET, "the subject is not admitted"),
        (Some(Decision::Allow), "unknown", Method::GET, "the catalog has no such record"),
        (Some(Decision::Allow), "known", Method::PUT, "the method is neither GET nor HEAD"),
    ] {
        let refusal = refused(block_on(gate.try_serve(&subject, id, &head(&method, &[]))));
        assert_eq!(refusal.reason().to_string(), expected);
    }
}
