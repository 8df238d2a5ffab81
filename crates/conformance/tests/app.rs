//! The assertions for applications: what they let pass and what they catch.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures::FutureExt as _;
use http::{Method, Request, Response, StatusCode};
use secure_download_conformance::app::{File, Visitor};
use secure_download_core::{Decision, Download, FileKey, Gate, RequestHead, signed_in};
use secure_download_stream::Stream;

const LETTER: &[u8] = b"the only copy of a letter to nobody in particular";

/// What an application does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    ChecksGetOnly,
    HonoursOverrides,
    ForbidsWhatExists,
    AnswersConditionsFirst,
    ShowsAPiece,
    LeaksTheHandOff,
    LetsCachesKeep,
}

/// An application over the gate; the cookie says who asks.
async fn call(
    gate: &Gate<Option<String>, Download>,
    fault: Fault,
    request: Request<Bytes>,
) -> Response<Bytes> {
    let (parts, _) = request.into_parts();
    let mut who = parts.headers.get("cookie").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let id = parts.uri.path().trim_start_matches("/files/");
    let bob = who.as_deref() == Some("bob") && id == "1";
    let bare = |status: StatusCode, body: &'static [u8]| {
        let mut response = Response::new(Bytes::from_static(body));
        *response.status_mut() = status;
        response.headers_mut().insert("cache-control", http::HeaderValue::from_static("no-store"));
        response
    };
    match fault {
        Fault::ChecksGetOnly if parts.method == Method::HEAD => who = Some("alice".to_owned()),
        Fault::HonoursOverrides if parts.headers.contains_key("x-http-method-override") => {
            who = Some("alice".to_owned());
        }
        Fault::ForbidsWhatExists if bob => return bare(StatusCode::FORBIDDEN, b""),
        Fault::AnswersConditionsFirst if bob && parts.headers.contains_key("if-none-match") => {
            return bare(StatusCode::NOT_MODIFIED, b"");
        }
        Fault::ShowsAPiece if bob => return bare(StatusCode::NOT_FOUND, b"preview: a letter to nob..."),
        Fault::LeaksTheHandOff if bob => {
            let mut response = bare(StatusCode::NOT_FOUND, b"");
            response.headers_mut().insert("x-accel-redirect", http::HeaderValue::from_static("/_p/1"));
            return response;
        }
        _ => {}
    }
    let head = RequestHead::new(&parts.method, &parts.headers);
    let (mut parts, mut body) = gate.serve(&who, id, &head).await.into_parts();
    if fault == Fault::LetsCachesKeep {
        parts.headers.remove("cache-control");
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
        bytes.extend_from_slice(&chunk.expect("whole"));
    }
    Response::from_parts(parts, bytes.into())
}

#[tokio::test]
async fn bob_gets_no_byte_and_what_gives_him_one_is_caught() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("1"), LETTER).expect("written");
    let gate = Gate::builder(std::collections::HashMap::from([(
        "1".to_owned(),
        Download::new(FileKey::parse("1").expect("a key")),
    )]))
    .authorizer(signed_in(|user: &String, _: &Download| Decision::allow_if(user == "alice")))
    .strategy(Stream::local(folder.path()).expect("a folder"))
    .build();
    let file = File::new("/files/1", LETTER).unknown("/files/none");
    for (fault, caught) in [
        (Fault::None, None),
        (Fault::ChecksGetOnly, Some("HEAD")),
        (Fault::HonoursOverrides, Some("x-http-method-override")),
        (Fault::ForbidsWhatExists, Some("not as if it did not exist")),
        (Fault::AnswersConditionsFirst, Some("304")),
        (Fault::ShowsAPiece, Some("holds bytes of the file")),
        (Fault::LeaksTheHandOff, Some("carries x-accel-redirect")),
        (Fault::LetsCachesKeep, Some("may be kept by a shared cache")),
    ] {
        let app = async |request| call(&gate, fault, request).await;
        let bob = Visitor::new("bob", &app).field("cookie", "bob");
        let outcome = AssertUnwindSafe(bob.gets_no_byte_of(&file)).catch_unwind().await;
        match (caught, outcome) {
            (None, Ok(())) => {}
            (Some(what), Err(panic)) => {
                let text = panic.downcast_ref::<String>().expect("a message");
                assert!(text.contains(what) && text.contains("bob"), "{fault:?}: {text}");
            }
            (_, outcome) => panic!("{fault:?}: {}", if outcome.is_ok() { "not caught" } else { "caught" }),
        }
        if fault == Fault::None {
            Visitor::new("nobody", &app).gets_no_byte_of(&file).await;
            Visitor::new("alice", &app).field("cookie", "alice").gets(&file).await;
        }
    }
}
