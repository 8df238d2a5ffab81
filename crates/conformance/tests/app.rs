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
    LetsCdnsKeep,
    RedirectsToASignedUrl,
    RedirectsToAnotherSite,
    NamesTheObject,
    SendsItInBase64,
    TellsTheLength,
    HandsOutACookie,
    HonoursAnotherOverride,
    AnswersDatesFirst,
    LosesNosniff,
    MiscountsRanges,
    ShowsHtml,
    MiscountsInHead,
    LosesTheNameInParts,
}

/// The file, beside one that is not there.
fn letter() -> File {
    File::new("/files/1", LETTER, "/files/none")
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
            return with(bare(StatusCode::NOT_FOUND, b""), "x-accel-redirect", "/_p/1");
        }
        Fault::RedirectsToASignedUrl if bob => {
            return with(bare(StatusCode::FOUND, b""), "location", "/blobs/c2lnbmVkIHRva2Vu");
        }
        Fault::RedirectsToAnotherSite if who.as_deref() == Some("bob") => {
            return with(bare(StatusCode::FOUND, b""), "location", "/\\evil.example");
        }
        Fault::NamesTheObject if bob => {
            return with(bare(StatusCode::NOT_FOUND, b""), "x-store-path", "/scans/1");
        }
        Fault::SendsItInBase64 if bob => {
            return bare(StatusCode::NOT_FOUND, b"dGhlIG9ubHkgY29weSBvZiBhIGxldHRlciB0byBub2JvZHk=");
        }
        Fault::TellsTheLength if bob && parts.method == Method::HEAD => {
            return with(bare(StatusCode::NOT_FOUND, b""), "content-length", "49");
        }
        Fault::HonoursAnotherOverride if parts.headers.contains_key("x-http-method") => {
            who = Some("alice".to_owned());
        }
        Fault::AnswersDatesFirst if bob && parts.headers.contains_key("if-unmodified-since") => {
            return bare(StatusCode::PRECONDITION_FAILED, b"");
        }
        _ => {}
    }
    let head = RequestHead::new(&parts.method, &parts.headers);
    let (mut parts, mut body) = gate.serve(&who, id, &head).await.into_parts();
    let part = parts.status == StatusCode::PARTIAL_CONTENT;
    let mut set = |name: &'static str, value| {
        parts.headers.insert(name, http::HeaderValue::from_static(value));
    };
    match fault {
        Fault::LetsCdnsKeep => set("cdn-cache-control", "max-age=60"),
        Fault::HandsOutACookie if bob => set("set-cookie", "CloudFront-Policy=abc; Secure"),
        Fault::MiscountsRanges if part => set("content-range", "bytes 0-47/49"),
        Fault::ShowsHtml => {
            set("content-type", "text/html");
            set("content-disposition", "inline");
            parts.headers.remove("content-security-policy");
        }
        Fault::MiscountsInHead if head.method() == Method::HEAD => set("content-length", "0"),
        Fault::LetsCachesKeep => drop(parts.headers.remove("cache-control")),
        Fault::LosesNosniff => drop(parts.headers.remove("x-content-type-options")),
        Fault::LosesTheNameInParts if part => drop(parts.headers.remove("content-disposition")),
        _ => {}
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
        bytes.extend_from_slice(&chunk.expect("whole"));
    }
    Response::from_parts(parts, bytes.into())
}

fn with(mut response: Response<Bytes>, name: &'static str, value: &'static str) -> Response<Bytes> {
    response.headers_mut().insert(name, http::HeaderValue::from_static(value));
    response
}

/// A gate that lets alice alone have the letter, and the folder that holds it.
fn gate() -> (Gate<Option<String>, Download>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("1"), LETTER).expect("written");
    let gate = Gate::builder(std::collections::HashMap::from([(
        "1".to_owned(),
        Download::new(FileKey::parse("1").expect("a key")),
    )]))
    .authorizer(signed_in(|user: &String, _: &Download| Decision::allow_if(user == "alice")))
    .strategy(Stream::local(folder.path()).expect("a folder"))
    .build();
    (gate, folder)
}

/// The outcome of an assertion is that the fault was caught, with these words, or that there is none.
fn expect(fault: Fault, caught: Option<&str>, outcome: std::thread::Result<()>) {
    match (caught, outcome) {
        (None, Ok(())) => {}
        (Some(what), Err(panic)) => {
            let text = panic.downcast_ref::<String>().expect("a message");
            assert!(text.contains(what), "{fault:?}: {text}");
        }
        (_, outcome) => panic!("{fault:?}: {}", if outcome.is_ok() { "not caught" } else { "caught" }),
    }
}

#[tokio::test]
async fn bob_gets_no_byte_and_what_gives_him_one_is_caught() {
    let (gate, _folder) = gate();
    let file = letter();
    for (fault, caught) in [
        (Fault::None, None),
        (Fault::ChecksGetOnly, Some("HEAD")),
        (Fault::HonoursOverrides, Some("x-http-method-override")),
        (Fault::ForbidsWhatExists, Some("not as if it did not exist")),
        (Fault::AnswersConditionsFirst, Some("304")),
        (Fault::ShowsAPiece, Some("holds bytes of the file")),
        (Fault::LeaksTheHandOff, Some("carries x-accel-redirect")),
        (Fault::LetsCachesKeep, Some("may be kept by a shared cache")),
        (Fault::LetsCdnsKeep, Some("may be kept by a shared cache")),
        (Fault::RedirectsToASignedUrl, Some("not as if it did not exist")),
        (Fault::RedirectsToAnotherSite, Some("answered 302")),
        (Fault::NamesTheObject, Some("carries x-store-path")),
        (Fault::SendsItInBase64, Some("not as if it did not exist")),
        (Fault::TellsTheLength, Some("not as if it did not exist")),
        (Fault::HandsOutACookie, Some("not as if it did not exist")),
        (Fault::HonoursAnotherOverride, Some("x-http-method")),
        (Fault::AnswersDatesFirst, Some("if-unmodified-since")),
    ] {
        let app = async |request| call(&gate, fault, request).await;
        let bob = Visitor::new("bob", &app).field("cookie", "bob");
        let outcome = AssertUnwindSafe(bob.gets_no_byte_of(&file)).catch_unwind().await;
        expect(fault, caught, outcome);
        if fault == Fault::None {
            Visitor::new("nobody", &app).gets_no_byte_of(&file).await;
            Visitor::new("alice", &app).field("cookie", "alice").gets(&file).await;
        }
    }
}

#[tokio::test]
async fn alice_gets_her_letter_and_what_is_wrong_with_it_is_caught() {
    let (gate, _folder) = gate();
    for (fault, caught) in [
        (Fault::None, None),
        (Fault::LetsCachesKeep, Some("a shared cache may keep it")),
        (Fault::LetsCdnsKeep, Some("a shared cache may keep it")),
        (Fault::LosesNosniff, Some("browsers may guess its type")),
        (Fault::MiscountsRanges, Some("Content-Range")),
        (Fault::ShowsHtml, Some("scripts")),
        (Fault::MiscountsInHead, Some("HEAD announces")),
        (Fault::LosesTheNameInParts, Some("no Content-Disposition")),
    ] {
        let app = async |request| call(&gate, fault, request).await;
        let alice = Visitor::new("alice", &app).field("cookie", "alice");
        let outcome = AssertUnwindSafe(alice.gets(&letter())).catch_unwind().await;
        expect(fault, caught, outcome);
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_may_be_sent_to_sign_in_and_back() {
    let app = async |request: Request<Bytes>| {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SEE_OTHER;
        let next = request.uri().path().replace('/', "%2F");
        let location = http::HeaderValue::try_from(format!("/login?next={next}")).expect("a value");
        response.headers_mut().insert("location", location);
        with(response, "cache-control", "no-store")
    };
    Visitor::new("nobody", &app).gets_no_byte_of(&letter()).await;
}
