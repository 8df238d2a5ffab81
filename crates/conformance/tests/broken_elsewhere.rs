//! Each law of strategies that let others send is broken by somebody, and named.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http::header::{CONTENT_DISPOSITION, ETAG, HeaderName, HeaderValue, LOCATION, RANGE};
use http::{Method, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secure_download_conformance::Broken;
use secure_download_conformance::strategy::Laws;
use secure_download_core::{
    Body, Delivery, DeliveryError, DeliveryStrategy, FileKey, Grant, PROXY_PROOF, RequestHead,
};

const PLAN: &str = "the client sees every header of the plan";
const HANDED: &str = "a hand-off is marked, sensitive and nothing else";
const KEY: &str = "a key opens its own file and no other";
const VERSION: &str = "an unknown volume or version is never served";
const TOGETHER: &str = "requests at the same time do not mix";
const PROVEN: &str = "nothing is handed off without proof of the proxy";
const TERMS: &str = "terms that cannot be kept are declined";
const FIELDS: &str = "no field goes beyond what a download needs";

const PROOF: &str = "0123456789abcdef0123456789abcdef";

async fn named(case: String, law: Option<&str>, laws: Laws) {
    let verdict = laws.verify().await;
    let broken: Vec<_> = verdict.as_ref().err().into_iter().flat_map(Broken::names).collect();
    match law {
        None => assert!(verdict.is_ok(), "{case}: {verdict:?}"),
        Some(law) => assert!(broken.contains(&law), "{case}: {verdict:?}"),
    }
}

const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const BUT_PERCENT: AsciiSet = ESCAPED.remove(b'%');

/// What a strategy that hands off does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    NoMark,
    NotSensitive,
    OnPartialContent,
    WithABody,
    OneTarget,
    MixesTargets,
    MixesNames,
    IgnoresTheProof,
    TakesAnyOfTheProofs,
    TakesTheStartOfTheProof,
    TakesTheProofInAnyCase,
    LeavesPercentRaw,
    EscapesTwice,
    IgnoresTheRate,
    TellsThatThereIsARate,
    IgnoresTheVersion,
    TellsTheKey,
    AllowsEveryOrigin,
}

struct HandsOff {
    fault: Fault,
    last: Arc<Mutex<(String, Option<HeaderValue>)>>,
}

impl HandsOff {
    fn new(fault: Fault) -> Self {
        Self { fault, last: Arc::default() }
    }

    fn is_proven(&self, head: &RequestHead) -> bool {
        let proofs: Vec<_> = head.fields(PROXY_PROOF).map(HeaderValue::as_bytes).collect();
        let right = PROOF.as_bytes();
        match self.fault {
            Fault::IgnoresTheProof => true,
            Fault::TakesAnyOfTheProofs => proofs.contains(&right),
            Fault::TakesTheStartOfTheProof => proofs.len() == 1 && proofs[0].starts_with(right),
            Fault::TakesTheProofInAnyCase => proofs.len() == 1 && proofs[0].eq_ignore_ascii_case(right),
            _ => proofs == [right],
        }
    }

    fn escape(&self, key: &FileKey) -> String {
        let key = key.as_str();
        match self.fault {
            Fault::OneTarget => String::new(),
            Fault::LeavesPercentRaw => utf8_percent_encode(key, &BUT_PERCENT).to_string(),
            Fault::EscapesTwice => {
                let once = utf8_percent_encode(key, &ESCAPED).to_string();
                utf8_percent_encode(&once, &ESCAPED).to_string()
            }
            _ => utf8_percent_encode(key, &ESCAPED).to_string(),
        }
    }
}

#[async_trait]
impl DeliveryStrategy for HandsOff {
    fn name(&self) -> &'static str {
        "hands-off"
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        if !self.is_proven(head) {
            return Err(grant.decline("hands-off", "no proof"));
        }
        let download = grant.download();
        let is_pinned = download.version_id().is_some() && self.fault != Fault::IgnoresTheVersion;
        if download.volume_name().is_some() || is_pinned {
            return Err(grant.decline("hands-off", "no such volume or version"));
        }
        let mut key = self.escape(download.key());
        let mut headers = grant.plan().headers().clone();
        if matches!(self.fault, Fault::MixesTargets | Fault::MixesNames) {
            *self.last.lock().expect("not poisoned") =
                (key.clone(), headers.get(CONTENT_DISPOSITION).cloned());
            tokio::task::yield_now().await;
            let (last_key, last_name) = self.last.lock().expect("not poisoned").clone();
            match self.fault {
                Fault::MixesTargets => key = last_key,
                _ => drop(headers.insert(CONTENT_DISPOSITION, last_name.expect("a name"))),
            }
        }
        let mut target = HeaderValue::try_from(format!("/_p/{key}")).expect("a value");
        target.set_sensitive(self.fault != Fault::NotSensitive);
        headers.insert(HeaderName::from_static("x-accel-redirect"), target);
        if let Some(rate) = grant.terms().rate_limit().filter(|_| self.fault != Fault::IgnoresTheRate) {
            let told = if self.fault == Fault::TellsThatThereIsARate { 1 } else { rate.get() };
            let mut told = HeaderValue::from(told);
            told.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-accel-limit-rate"), told);
        }
        match self.fault {
            Fault::TellsTheKey => {
                let key = HeaderValue::try_from(download.key().as_str().escape_default().to_string());
                headers.insert(HeaderName::from_static("x-file"), key.expect("a value"));
            }
            Fault::AllowsEveryOrigin => {
                let origin = HeaderName::from_static("access-control-allow-origin");
                headers.insert(origin, HeaderValue::from_static("*"));
            }
            _ => {}
        }
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = headers;
        if self.fault == Fault::OnPartialContent && head.fields(RANGE).next().is_some() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if self.fault == Fault::WithABody {
            *response.body_mut() = Body::full("see there");
        }
        if self.fault != Fault::NoMark {
            response.extensions_mut().insert(Delivery::HandedOff);
        }
        Ok(response)
    }
}

#[tokio::test]
async fn each_law_of_hand_offs_is_broken_by_somebody() {
    for (fault, law) in [
        (Fault::None, None),
        (Fault::NoMark, Some(PLAN)),
        (Fault::NotSensitive, Some(HANDED)),
        (Fault::OnPartialContent, Some(HANDED)),
        (Fault::WithABody, Some(HANDED)),
        (Fault::OneTarget, Some(KEY)),
        (Fault::MixesTargets, Some(TOGETHER)),
        (Fault::MixesNames, Some(TOGETHER)),
        (Fault::IgnoresTheProof, Some(PROVEN)),
        (Fault::TakesAnyOfTheProofs, Some(PROVEN)),
        (Fault::TakesTheStartOfTheProof, Some(PROVEN)),
        (Fault::TakesTheProofInAnyCase, Some(PROVEN)),
        (Fault::LeavesPercentRaw, Some(KEY)),
        (Fault::EscapesTwice, Some(KEY)),
        (Fault::IgnoresTheRate, Some(TERMS)),
        (Fault::TellsThatThereIsARate, Some(TERMS)),
        (Fault::IgnoresTheVersion, Some(VERSION)),
        (Fault::TellsTheKey, Some(FIELDS)),
        (Fault::AllowsEveryOrigin, Some(FIELDS)),
    ] {
        let laws = Laws::hands_off(HandsOff::new(fault));
        let laws = laws.request_field(PROXY_PROOF, HeaderValue::from_static(PROOF));
        named(format!("{fault:?}"), law, laws).await;
    }
}

/// Names files in hexadecimal digits, as its proxy reads them.
struct Hexadecimal;

#[async_trait]
impl DeliveryStrategy for Hexadecimal {
    fn name(&self) -> &'static str {
        "hexadecimal"
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let (download, terms) = (grant.download(), grant.terms());
        let named = download.volume_name().is_some() || download.version_id().is_some();
        if named || terms.rate_limit().is_some() {
            return Err(grant.decline("hexadecimal", "not here"));
        }
        let key: String = download.key().as_str().bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut target = HeaderValue::try_from(key).expect("a value");
        target.set_sensitive(true);
        let mut response = Response::new(Body::empty());
        response.headers_mut().clone_from(grant.plan().headers());
        response.headers_mut().insert(HeaderName::from_static("x-sendfile"), target);
        response.extensions_mut().insert(Delivery::HandedOff);
        Ok(response)
    }
}

#[tokio::test]
async fn a_proxy_may_read_targets_in_its_own_way() {
    let read = |target: &str| {
        let digits = target.as_bytes().chunks(2).map(std::str::from_utf8);
        let bytes: Option<Vec<u8>> = digits.map(|digits| u8::from_str_radix(digits.ok()?, 16).ok()).collect();
        String::from_utf8(bytes?).ok()
    };
    named("read".to_owned(), None, Laws::hands_off(Hexadecimal).proxy_reads(read)).await;
    named("unread".to_owned(), Some(KEY), Laws::hands_off(Hexadecimal)).await;
}

/// What a strategy that redirects does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Astray {
    Nowhere,
    Permanently,
    ReplaysLimitedGrants,
    LivesForAWeek,
    MixesTargets,
    IgnoresTheVersion,
    IgnoresTheRate,
}

struct Redirect {
    fault: Astray,
    last: Mutex<String>,
}

#[async_trait]
impl DeliveryStrategy for Redirect {
    fn name(&self) -> &'static str {
        "redirect"
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let (download, terms) = (grant.download(), grant.terms());
        let asked = terms.expiry().unwrap_or(Duration::from_secs(5)).as_secs();
        let is_limited = grant.is_limited() && self.fault != Astray::ReplaysLimitedGrants;
        let is_slow = terms.rate_limit().is_some() && self.fault != Astray::IgnoresTheRate;
        if is_limited || is_slow || asked == 0 || download.volume_name().is_some() {
            return Err(grant.decline("redirect", "a store would not keep it"));
        }
        let lifetime = if self.fault == Astray::LivesForAWeek { 604_800 } else { asked };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let key = utf8_percent_encode(download.key().as_str(), &ESCAPED);
        let mut url = format!("https://store.example/{key}?Expires={}", now + lifetime);
        if let Some(version) = download.version_id().filter(|_| self.fault != Astray::IgnoresTheVersion) {
            url.push_str("&versionId=");
            url.extend(utf8_percent_encode(version, &ESCAPED));
        }
        if self.fault == Astray::MixesTargets {
            self.last.lock().expect("not poisoned").clone_from(&url);
            tokio::task::yield_now().await;
            url.clone_from(&self.last.lock().expect("not poisoned"));
        }
        let mut response = Response::new(Body::empty());
        let permanent = self.fault == Astray::Permanently;
        *response.status_mut() = if permanent { StatusCode::MOVED_PERMANENTLY } else { StatusCode::FOUND };
        response.headers_mut().clone_from(grant.plan().headers());
        response.headers_mut().remove(ETAG);
        response
            .headers_mut()
            .insert(http::header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        let mut location = HeaderValue::try_from(url).expect("a value");
        location.set_sensitive(true);
        response.headers_mut().insert(LOCATION, location);
        response.extensions_mut().insert(Delivery::Redirected);
        debug_assert!(matches!(*head.method(), Method::GET | Method::HEAD), "nothing else is granted");
        Ok(response)
    }
}

#[tokio::test]
async fn each_law_of_redirects_is_broken_by_somebody() {
    for (fault, law) in [
        (Astray::Nowhere, None),
        (Astray::Permanently, Some(PLAN)),
        (Astray::ReplaysLimitedGrants, Some(TERMS)),
        (Astray::LivesForAWeek, Some(TERMS)),
        (Astray::MixesTargets, Some(TOGETHER)),
        (Astray::IgnoresTheVersion, Some(VERSION)),
        (Astray::IgnoresTheRate, Some(TERMS)),
    ] {
        let redirect = Redirect { fault, last: Mutex::default() };
        named(format!("{fault:?}"), law, Laws::redirects(redirect)).await;
    }
}
