//! [`ResponsePlan`]: the headers that the client must end up seeing, whatever the strategy.

use std::ops::Range;
use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderName, LAST_MODIFIED, RANGE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::conditional::{self, Precondition, Validators};
use crate::content_safety::{Judgement, OCTET_STREAM};
use crate::range::{self, Ranges};
use crate::{
    Body, CachePolicy, ContentPolicy, Disposition, Download, Parts, Representation, RequestHead, Terms,
    content_disposition, multipart,
};

/// `CDN-Cache-Control`, RFC 9213.
pub(crate) const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// `no-store`, for refusals and CDNs.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The headers of a granted download as the client must see them.
///
/// Made once by the gate. A strategy that sends bytes calls [`ResponsePlan::select`] and fills in the body; one that
/// lets somebody else send them makes sure that [`ResponsePlan::headers`] reach the client.
///
/// | header | value |
/// |---|---|
/// | `Content-Type` | the record's, `application/octet-stream` if it is none or a script; a charset as [`ContentPolicy`] says |
/// | `Content-Disposition` | `attachment` unless the terms ask for inline and the [`ContentPolicy`] allows it |
/// | `Cache-Control`, `CDN-Cache-Control` | `private, no-store` or `private, max-age=N`; `no-store` |
/// | `X-Content-Type-Options` | `nosniff` |
/// | `Cross-Origin-Resource-Policy` | `same-origin`, or as the policy says |
/// | `Referrer-Policy` | `no-referrer` |
/// | `Content-Security-Policy` | a sandbox in which nothing runs, for attachments too |
/// | `Vary` | `Cookie, Authorization`, with `max-age` only |
#[derive(Debug, Clone)]
pub struct ResponsePlan {
    headers: HeaderMap,
    /// Whether a date in `If-Range` may join ranges.
    dates_join: bool,
}

impl ResponsePlan {
    pub(crate) fn new(download: &Download, terms: Terms, policy: &ContentPolicy) -> Self {
        let judgement = policy.judge(download.raw_content_type(), download.declares_utf8_text());
        let inline = judgement.inline.filter(|_| terms.asks_inline());
        let disposition = if inline.is_some() { Disposition::Inline } else { Disposition::Attachment };
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(CONTENT_TYPE, judgement.content_type);
        let filename = download.raw_filename().unwrap_or_default();
        headers.insert(CONTENT_DISPOSITION, content_disposition(disposition, filename));
        for (name, value) in policy.common_headers() {
            headers.insert(name, value);
        }
        headers.insert(CDN_CACHE_CONTROL, NO_STORE);
        insert_cache_policy(&mut headers, download.cache_policy());
        headers.insert(Judgement::POLICY_HEADER, inline.unwrap_or(judgement.attachment).clone());
        Self { headers, dates_join: true }
    }

    pub(crate) fn set_cache_policy(&mut self, policy: CachePolicy) {
        insert_cache_policy(&mut self.headers, policy);
    }

    /// Lets no date in `If-Range` join ranges: the whole file is sent. For files whose date may stay when their content
    /// changes (RFC 9110 section 8.8.2.2). Entity tags go on joining.
    #[must_use]
    pub fn ranges_by_tag_only(mut self) -> Self {
        self.dates_join = false;
        self
    }

    /// Every header of a complete answer that does not depend on the bytes.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// As [`ResponsePlan::headers`], to build an answer from.
    #[must_use]
    pub fn into_headers(self) -> HeaderMap {
        self.headers
    }

    /// The answer to a request whose preconditions end it: 304 or 412. `None` if the file is to be sent.
    ///
    /// RFC 9110 section 13: `If-Match` and `If-None-Match` as lists, over several lines too, their members that are no
    /// entity tags matching nothing; date fields that are repeated or unreadable are ignored.
    #[must_use]
    pub fn precondition(
        &self,
        head: &RequestHead,
        file: &Representation,
        now: SystemTime,
    ) -> Option<Response<Body>> {
        let validators = Validators::new(file.etag.as_ref(), file.last_modified, now);
        match conditional::evaluate(head, &validators) {
            Precondition::Holds => None,
            Precondition::NotModified => Some(self.not_modified(&validators)),
            Precondition::Failed => Some(self.clone().bare(StatusCode::PRECONDITION_FAILED)),
        }
    }

    /// Decides what of `file` answers the request, after RFC 9110 sections 13 and 14.
    ///
    /// - 304 and 412 as [`ResponsePlan::precondition`] says.
    /// - `Range` counts on GET only, after the preconditions, and if `If-Range` names the file as it is.
    /// - A malformed or repeated field, another unit, more than 8 KiB, or too many ranges: the whole file. Too many are more
    ///   than 32 and more than one for each 8 KiB of the file, and in any case more than 200.
    /// - Ranges whose framing has more than 32 KiB and more bytes than they have: the whole file.
    /// - An empty file: all of it, whatever the range.
    /// - Overlapping and adjacent ranges are joined; a joined range stands where its first member was asked for.
    /// - One range is a plain 206, several are `multipart/byteranges` with an exact length.
    /// - Nothing of it in the file: 416 with `Content-Range: bytes */LENGTH`.
    /// - HEAD: the headers of the whole file.
    ///
    /// # Choices
    ///
    /// Where RFC 9110 leaves room:
    ///
    /// - Section 5.6.7: a date whose weekday is wrong, or that does not exist, is no date. Second 60 is a leap second.
    /// - 8.8.2: `Last-Modified` is not sent for times before 1970, which are broken clocks, and then date conditions
    ///   are ignored. A time in the future is sent as the time of the answer.
    /// - 8.8.2.2: a date joins ranges (`If-Range`) only once the file has been left alone for two seconds, and so does an
    ///   entity tag made by [`Representation::of_local_file`]. A date that was set by hand joins none, see
    ///   [`ResponsePlan::ranges_by_tag_only`]. Clients that hold a date alone cannot tell two changes within one second
    ///   apart; they are sent a tag, too.
    /// - 13.1.1: `If-Match` with nothing in it, or with nothing that is an entity tag, is false: 412 is safer than
    ///   to go on.
    /// - 13.1.2, 5.6.1: members of a list that are no entity tags are passed over; those beside them count. `*` counts only
    ///   alone on its line.
    /// - 13.1.3: a date later than the server's clock is a date like any other.
    /// - 13.1.4, 13.1.3: a date field that stands twice is a list, so it is ignored. `If-Range` that stands twice is false,
    ///   and `Range` that stands twice is ignored.
    /// - 13.2.1, 14.2: a precondition that ends the request comes before a range that cannot be satisfied: 304 or 412, not 416.
    /// - 14.1.1: spaces and tabs around a range are skipped, also before the first; inside of a range they make the field
    ///   invalid.
    /// - 14.1.2: a suffix of zero bytes is never satisfiable: 416.
    /// - 14.2: `Range` is ignored where the file is empty: 200, not 416. A suffix of it would be satisfiable, but no
    ///   `Content-Range` can say so. Clients that add `bytes=0-` to every request would never get an empty file.
    /// - 14.2: an invalid field is ignored, and neither 400 nor 416; so is one with one invalid member. So are those over
    ///   the caps, though they are valid, and those whose framing would outweigh them (15.3.7.2 lets a server send more).
    /// - 14.2: `bytes=0-` of a whole file is a 206. On HEAD `Range` is ignored, for the RFC defines it for GET alone.
    /// - 15.3.7: with `If-Range` too, a 206 carries every field of the 200: a client that shows or saves it needs the fields
    ///   that keep it safe.
    /// - 15.3.7.2: parts stand in the order asked for. If one range is left of several, it is sent as a plain 206.
    /// - 15.4.5: a 304 carries no `Last-Modified` beside an entity tag, and no `Content-Length`.
    /// - 15.5.6: every method but GET and HEAD is 405, also one that nobody knows.
    /// - 15.5.13, 15.5.17: 412 and 416 are not stored and say nothing of the file but its length.
    pub fn select(&self, head: &RequestHead, file: &Representation, now: SystemTime) -> Selection {
        self.clone().into_selection(head, file, now)
    }

    /// As [`ResponsePlan::select`], with nothing copied.
    pub fn into_selection(self, head: &RequestHead, file: &Representation, now: SystemTime) -> Selection {
        let mut validators = Validators::new(file.etag.as_ref(), file.last_modified, now);
        validators.settled &= self.dates_join;
        match conditional::evaluate(head, &validators) {
            Precondition::Holds => {}
            Precondition::NotModified => return Selection::Answered(self.not_modified(&validators)),
            Precondition::Failed => return Selection::Answered(self.bare(StatusCode::PRECONDITION_FAILED)),
        }
        let ranges = match head.single(RANGE) {
            Some(field)
                if *head.method() == Method::GET && conditional::if_range_holds(head, &validators) =>
            {
                range::parse(field, file.length)
            }
            _ => Ranges::Whole,
        };
        let ranges = match ranges {
            Ranges::Unsatisfiable => return Selection::Answered(self.unsatisfiable(file.length)),
            Ranges::Some(ranges)
                if ranges.len() > 1 && multipart::outweighs(&ranges, self.content_type(), file.length) =>
            {
                Ranges::Whole
            }
            ranges => ranges,
        };
        let mut response = Response::new(());
        let headers = response.headers_mut();
        *headers = self.headers;
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        insert_validators(headers, &validators);
        let parts = match ranges {
            Ranges::Whole | Ranges::Unsatisfiable => Parts::One(0..file.length),
            Ranges::Some(ranges) => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                match <[_; 1]>::try_from(ranges) {
                    Ok([range]) => {
                        response.headers_mut().insert(CONTENT_RANGE, content_range(&range, file.length));
                        Parts::One(range)
                    }
                    Err(ranges) => {
                        let headers = response.headers_mut();
                        let file_type = headers.get(CONTENT_TYPE).cloned().unwrap_or(OCTET_STREAM);
                        let (parts, content_type) = multipart::frame(&ranges, &file_type, file.length);
                        headers.insert(CONTENT_TYPE, content_type);
                        Parts::Many(parts)
                    }
                }
            }
        };
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(parts.length()));
        if *head.method() == Method::HEAD {
            return Selection::Answered(response.map(|()| Body::empty()));
        }
        Selection::Send(Sending { response, parts })
    }

    fn content_type(&self) -> &HeaderValue {
        static NONE: HeaderValue = OCTET_STREAM;
        self.headers.get(CONTENT_TYPE).unwrap_or(&NONE)
    }

    /// RFC 9110 section 15.4.5: validators and cache fields of the 200, nothing else. `Last-Modified` only where
    /// there is no entity tag.
    fn not_modified(&self, validators: &Validators<'_>) -> Response<Body> {
        let mut response = Response::new(Body::absent());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let headers = response.headers_mut();
        headers.reserve(4);
        for name in [CACHE_CONTROL, CDN_CACHE_CONTROL, VARY] {
            if let Some(value) = self.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        insert_validators(headers, validators);
        if headers.contains_key(ETAG) {
            headers.remove(LAST_MODIFIED);
        }
        response
    }

    fn unsatisfiable(self, length: u64) -> Response<Body> {
        let mut response = self.bare(StatusCode::RANGE_NOT_SATISFIABLE);
        let value = HeaderValue::try_from(format!("bytes */{length}"));
        response.headers_mut().insert(CONTENT_RANGE, value.unwrap_or(HeaderValue::from_static("bytes */0")));
        response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        response
    }

    /// An answer about the request, not about the file: no header that describes the file, nothing to keep.
    fn bare(self, status: StatusCode) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        *headers = self.headers;
        for name in [CONTENT_TYPE, CONTENT_DISPOSITION, Judgement::POLICY_HEADER, VARY] {
            headers.remove(name);
        }
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        response
    }
}

/// What [`ResponsePlan::select`] decided.
#[derive(Debug)]
#[must_use]
pub enum Selection {
    /// The complete answer; no byte of the file belongs to it.
    Answered(Response<Body>),
    /// An answer that these bytes of the file complete.
    Send(Sending),
}

/// A response head and the parts that its body is made of.
#[derive(Debug)]
pub struct Sending {
    response: Response<()>,
    parts: Parts,
}

impl Sending {
    /// The parts to send, in order.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Completes the response. The head already announces the exact length.
    #[must_use]
    pub fn with_body(self, body: Body) -> Response<Body> {
        self.response.map(|()| body)
    }
}

fn insert_cache_policy(headers: &mut HeaderMap, policy: CachePolicy) {
    match policy {
        CachePolicy::NoStore => {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
            headers.remove(VARY);
        }
        CachePolicy::Private { max_age } => {
            let value = HeaderValue::try_from(format!("private, max-age={}", max_age.as_secs()));
            headers.insert(CACHE_CONTROL, value.unwrap_or(NO_STORE));
            headers.insert(VARY, HeaderValue::from_static("Cookie, Authorization"));
        }
    }
}

fn insert_validators(headers: &mut HeaderMap, validators: &Validators<'_>) {
    if let Some(etag) = validators.etag {
        headers.insert(ETAG, etag.to_header());
    }
    if let Some(date) = validators.last_modified {
        headers.insert(LAST_MODIFIED, date.to_header());
    }
}

fn content_range(range: &Range<u64>, length: u64) -> HeaderValue {
    let text = format!("bytes {}-{}/{length}", range.start, range.end - 1);
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("bytes */0"))
}
