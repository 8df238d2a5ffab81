//! What every client sees, whatever the strategy.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, HeaderName, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode};
use secure_download_core::{AUDIT_ID, CachePolicy, Delivery, Download, ETag};

use super::samples::{EMPTY, ONE, PLAIN};
use super::{Kind, Laws, sample};
use crate::law::{Verdict, ensure};
use crate::site::Answer;

/// What uploaders come up with.
const NAMES: [&str; 14] = [
    "",
    "plain.png",
    "Röntgen 漢字 🙂.pdf",
    "a\"b\\c;d=e.txt",
    "a\r\nSet-Cookie: x=1\r\n\r\n<b>.html",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "\u{202e}gpj.exe",
    "a\0b",
    "%0d%0aX: y",
    "'); alert(1); ('",
    "CON",
    ".htaccess",
    "a\u{7f}b\u{85}c\u{2028}d",
];

const TYPES: [&str; 8] = [
    "",
    "image/png",
    "text/html",
    "image/svg+xml",
    "text/plain; charset=utf-8",
    "application/javascript",
    "text/plain\r\nX-Evil: 1",
    "no type",
];

fn downloads() -> Result<Vec<Download>, String> {
    let plain = sample(PLAIN)?.download();
    let mut downloads = vec![sample(EMPTY)?.download(), sample(ONE)?.download()];
    downloads.extend(NAMES.map(|name| plain.clone().filename(name)));
    for content_type in TYPES {
        downloads.push(plain.clone().content_type(content_type));
        downloads.push(plain.clone().content_type(content_type).inline());
    }
    let hour = Duration::from_secs(3600);
    downloads.push(plain.clone().cache(CachePolicy::Private { max_age: hour }));
    downloads.extend(ETag::strong("v1").map(|etag| plain.clone().etag(etag)));
    downloads.push(plain.clone().last_modified(UNIX_EPOCH + hour).length(1));
    Ok(downloads)
}

pub(super) async fn parity(laws: &Laws) -> Verdict {
    let head = laws.head(&Method::GET, &[]);
    for download in downloads()? {
        let site = laws.site(download.clone());
        let answer = site.get(&download, &head).await;
        laws.saw(&answer);
        laws.logged(&site);
        if laws.kind != Kind::Sends && declined(&answer) {
            // What an URL or a proxy cannot carry is for the next strategy.
            continue;
        }
        complete(laws.kind, &answer).map_err(|seen| format!("{download:?}: {seen}"))?;
        if laws.kind == Kind::Sends {
            let expected = super::samples().into_iter().find(|sample| sample.key == *download.key());
            ensure!(expected.is_some_and(|sample| sample.bytes == answer.body), "{download:?}: other bytes");
        }
    }
    Ok(())
}

fn declined(answer: &Answer) -> bool {
    answer.status == StatusCode::BAD_GATEWAY && answer.delivery.is_none()
}

/// A whole granted answer.
pub(super) fn complete(kind: Kind, answer: &Answer) -> Verdict {
    ensure!(answer.broke_off.is_none(), "the body broke off: {:?}", answer.broke_off);
    ensure!(!answer.plan.is_empty(), "refused with {}", answer.status);
    let expected = match kind {
        Kind::Sends => None,
        Kind::HandsOff => Some(Delivery::HandedOff),
        Kind::Redirects => Some(Delivery::Redirected),
    };
    ensure!(
        answer.delivery == expected,
        "the answer {} says {:?}, it should say {expected:?}",
        answer.status,
        answer.delivery
    );
    if kind == Kind::Redirects {
        return redirect(answer);
    }
    ensure!(answer.status == StatusCode::OK, "answered {}", answer.status);
    for (name, value) in &answer.plan {
        let mut lines = answer.headers.get_all(name).iter();
        let (first, second) = (lines.next(), lines.next());
        ensure!(
            first == Some(value) && second.is_none(),
            "{name} is {first:?} {second:?}, the plan says {value:?}"
        );
    }
    if kind == Kind::Sends {
        let announced = answer.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        ensure!(
            announced == Some(answer.body.len().to_string().as_str()),
            "Content-Length says {announced:?} of {} bytes",
            answer.body.len()
        );
    }
    no_control_bytes(answer)
}

/// The redirect itself; what the store answers is the signer's concern.
fn redirect(answer: &Answer) -> Verdict {
    match answer.status {
        StatusCode::FOUND | StatusCode::SEE_OTHER | StatusCode::TEMPORARY_REDIRECT => {
            let location = answer.headers.get(LOCATION);
            ensure!(
                location.is_some_and(http::HeaderValue::is_sensitive),
                "Location is missing, or not marked sensitive: {:?}",
                location
            );
        }
        StatusCode::OK => {
            let content_type = answer.headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
            ensure!(content_type == Some(b"application/json"), "200 that is no JSON: {content_type:?}");
        }
        status => return Err(format!("{status} is kept, or is no redirect")),
    }
    for (name, expected) in [
        (CACHE_CONTROL, "private, no-store"),
        (HeaderName::from_static("cdn-cache-control"), "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let value = answer.headers.get(&name);
        ensure!(value.is_some_and(|value| value == expected), "{name} is {value:?}, not {expected}");
    }
    no_control_bytes(answer)
}

/// Whether a field for the proxy holds the query of a signed URL, which holds what changes with time and method.
pub(super) fn is_query(name: &HeaderName) -> bool {
    name.as_str().ends_with("-query")
}

fn no_control_bytes(answer: &Answer) -> Verdict {
    for (name, value) in &answer.headers {
        let plain = value.as_bytes().iter().all(|byte| (0x20..0x7f).contains(byte));
        ensure!(plain, "{name} is not printable ASCII: {:?}", value.as_bytes());
    }
    Ok(())
}

pub(super) async fn head(laws: &Laws) -> Verdict {
    let site = laws.site(sample(PLAIN)?.download());
    for key in [PLAIN, EMPTY, ONE] {
        let download = sample(key)?.download();
        let get = site.get(&download, &laws.head(&Method::GET, &[])).await;
        for fields in [&[][..], &[(http::header::RANGE, "bytes=0-0")]] {
            let head = site.get(&download, &laws.head(&Method::HEAD, fields)).await;
            laws.saw(&head);
            ensure!(head.status == get.status, "{key}: HEAD is {}, GET is {}", head.status, get.status);
            ensure!(head.body.is_empty(), "{key}: HEAD has a body");
            ensure!(head.delivery == get.delivery, "{key}: HEAD is {:?}", head.delivery);
            let names = |answer: &Answer| {
                let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
                names.sort();
                names
            };
            ensure!(names(&head) == names(&get), "{key}: HEAD has {:?}, GET {:?}", names(&head), names(&get));
            // A tag may turn strong between the two, and a signature, which is sensitive, is its method's own.
            let differs = |name: &HeaderName| {
                let (one, other) = (head.headers.get(name), get.headers.get(name));
                let signed = one.zip(other).is_some_and(|(one, other)| {
                    laws.kind == Kind::HandsOff
                        && one.is_sensitive()
                        && other.is_sensitive()
                        && is_query(name)
                });
                ![ETAG, DATE, LOCATION, AUDIT_ID].contains(name) && !signed && one != other
            };
            let other = get.headers.keys().find(|name| differs(name));
            ensure!(other.is_none(), "{key}: {other:?} differs between HEAD and GET");
        }
    }
    laws.logged(&site);
    Ok(())
}
