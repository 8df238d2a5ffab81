//! What is right about a file that is given.

use bytes::Bytes;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, Response, StatusCode};

use crate::law::{Verdict, ensure, storable_by_shared_caches};

pub(super) fn whole(answer: &Response<Bytes>, content: &Bytes) -> Verdict {
    ensure!(answer.status() == StatusCode::OK, "GET is answered {}", answer.status());
    ensure!(answer.body() == content, "other bytes");
    announces(answer.headers(), content.len()).map_err(|seen| format!("GET {seen}"))?;
    protected(answer.headers())
}

pub(super) fn head(answer: &Response<Bytes>, whole: &Response<Bytes>, length: usize) -> Verdict {
    ensure!(answer.status() == StatusCode::OK, "HEAD is answered {}", answer.status());
    ensure!(answer.body().is_empty(), "HEAD has a body");
    announces(answer.headers(), length).map_err(|seen| format!("HEAD {seen}"))?;
    protected(answer.headers()).map_err(|seen| format!("HEAD: {seen}"))?;
    same(answer, whole).map_err(|seen| format!("HEAD: {seen}"))
}

/// The answer to `bytes=1-`.
pub(super) fn part(answer: &Response<Bytes>, whole: &Response<Bytes>, content: &Bytes) -> Verdict {
    ensure!(answer.status() == StatusCode::PARTIAL_CONTENT, "a range is answered {}", answer.status());
    ensure!(answer.body() == &content[1..], "other bytes in a range");
    announces(answer.headers(), content.len() - 1).map_err(|seen| format!("a range {seen}"))?;
    let found = text(answer.headers(), CONTENT_RANGE);
    let right = format!("bytes 1-{}/{}", content.len() - 1, content.len());
    ensure!(found == Some(&right), "a range has the Content-Range {found:?}, not {right}");
    protected(answer.headers()).map_err(|seen| format!("a range: {seen}"))?;
    same(answer, whole).map_err(|seen| format!("a range: {seen}"))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whoever calls the application may have taken the length away, as some clients do.
fn announces(headers: &HeaderMap, length: usize) -> Verdict {
    let found = text(headers, CONTENT_LENGTH);
    let right = length.to_string();
    ensure!(found.is_none_or(|found| found == right), "announces {found:?} bytes, not {right}");
    Ok(())
}

/// The fields that protect a download, on each answer that holds some of it.
fn protected(headers: &HeaderMap) -> Verdict {
    ensure!(!storable_by_shared_caches(headers), "a shared cache may keep it");
    let nosniff = text(headers, X_CONTENT_TYPE_OPTIONS) == Some("nosniff");
    ensure!(nosniff, "browsers may guess its type: no `X-Content-Type-Options: nosniff`");
    let disposition = text(headers, CONTENT_DISPOSITION);
    ensure!(disposition.is_some(), "no Content-Disposition");
    let is_attachment =
        disposition.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("attachment"));
    let content_type = text(headers, CONTENT_TYPE).unwrap_or_default();
    let policies = headers.get_all(CONTENT_SECURITY_POLICY).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<_> = policies.flat_map(|value| value.split([';', ','])).map(str::trim).collect();
    let sandboxed = directives.iter().any(|directive| {
        let mut words = directive.split_ascii_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("sandbox"))
            && !words.any(|word| word.eq_ignore_ascii_case("allow-same-origin"))
    });
    ensure!(
        is_attachment || sandboxed || is_inert(content_type),
        "{content_type:?} is shown inline without `Content-Security-Policy: sandbox`, and may run scripts"
    );
    Ok(())
}

/// Types in which no browser runs anything of the site's.
fn is_inert(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (top, subtype) = essence.split_once('/').unwrap_or_default();
    match top {
        "image" | "audio" | "video" => !subtype.ends_with("xml"),
        _ => matches!(&*essence, "text/plain" | "application/pdf" | "application/json"),
    }
}

/// A part, or HEAD, is what the whole is.
fn same(answer: &Response<Bytes>, whole: &Response<Bytes>) -> Verdict {
    for name in [CONTENT_TYPE, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY] {
        let (found, right) = (answer.headers().get(&name), whole.headers().get(&name));
        ensure!(found == right, "{name} is {found:?}, and of the whole {right:?}");
    }
    Ok(())
}
