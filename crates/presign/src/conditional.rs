//! Conditions that need no redirect: the client holds the record's own validators.
//!
//! Everything else is for the store to answer. What it sends carries its own validators, so a client that holds those
//! must not be told 304 or 412 by ours.

use std::time::SystemTime;

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{Response, StatusCode};
use secure_download_core::{Body, Grant, Representation, RequestHead};

/// 304 if the client has the file as the record knows it.
pub(crate) fn not_modified(grant: &Grant, head: &RequestHead, now: SystemTime) -> Option<Response<Body>> {
    let has = |name| head.fields(name).next().is_some();
    if has(IF_MATCH) || has(IF_UNMODIFIED_SINCE) {
        return None;
    }
    let download = grant.download();
    let mut file = Representation { length: 0, etag: None, last_modified: download.known_last_modified() };
    if has(IF_NONE_MATCH) {
        // `*` is about the store's file, not about the record.
        if head.fields(IF_NONE_MATCH).any(|line| line.as_bytes().trim_ascii() == b"*") {
            return None;
        }
        file.etag = Some(download.known_etag()?.clone());
    } else {
        // The record's own date comes back as it was sent; any other date is the store's.
        let sent = httpdate::fmt_http_date(within_http_dates(file.last_modified?)?);
        let mut lines = head.fields(IF_MODIFIED_SINCE);
        if lines.next()?.as_bytes() != sent.as_bytes() || lines.next().is_some() {
            return None;
        }
        file.etag = download.known_etag().cloned();
    }
    grant
        .plan()
        .precondition(head, &file, now)
        .filter(|response| response.status() == StatusCode::NOT_MODIFIED)
}

/// HTTP dates go from 1970 to 9999.
fn within_http_dates(time: SystemTime) -> Option<SystemTime> {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    (seconds <= 253_402_300_799).then_some(time)
}
