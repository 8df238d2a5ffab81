//! Strategies that do not send the bytes themselves.

use std::num::NonZeroU64;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, IF_NONE_MATCH, RANGE};
use http::{Method, StatusCode};
use secure_download_core::{Availability, BoxError, Download, ETag, Reservation, UsageLimit, Use};

use super::samples::PLAIN;
use super::{Kind, Laws, sample};
use crate::law::{Verdict, ensure};
use crate::site::{Site, User};

pub(super) async fn marked(laws: &Laws) -> Verdict {
    let etag = ETag::strong("v1").ok_or("a tag")?;
    let plain = sample(PLAIN)?.download().etag(etag);
    let site = laws.site(plain.clone());
    for fields in [
        &[][..],
        &[(RANGE, "bytes=0-0")],
        &[(RANGE, "bytes=0-0,5-9")],
        &[(IF_NONE_MATCH, "\"v1\"")],
        &[(IF_NONE_MATCH, "\"v2\"")],
        &[(http::header::IF_MATCH, "\"v2\"")],
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = site.get(&plain, &laws.head(&method, fields)).await;
            laws.saw(&answer);
            let target = answer.extra().any(|(_, value)| value.is_sensitive());
            if answer.delivery.is_none() {
                ensure!(!target, "{} carries a target, and no mark", answer.status);
                ensure!(
                    matches!(answer.status, StatusCode::NOT_MODIFIED | StatusCode::PRECONDITION_FAILED),
                    "{method} {fields:?} is answered {}",
                    answer.status
                );
                continue;
            }
            let whole = answer.status == StatusCode::OK;
            if laws.kind == Kind::HandsOff {
                // On any other status proxies send the file all the same, under that status.
                ensure!(whole, "a hand-off on {}", answer.status);
                ensure!(answer.body.is_empty(), "a hand-off with a body, which some proxies append");
            }
            ensure!(target || laws.kind == Kind::Redirects && whole, "no field is marked sensitive");
            for name in [ACCEPT_RANGES, CONTENT_RANGE, CONTENT_ENCODING] {
                ensure!(!answer.headers.contains_key(&name), "{name} describes bytes that another sends");
            }
        }
    }
    laws.logged(&site);
    Ok(())
}

pub(super) async fn terms(laws: &Laws) -> Verdict {
    let plain = sample(PLAIN)?.download();
    let head = laws.head(&Method::GET, &[]);
    let site = laws.site(plain.clone());
    let slow = plain.clone().rate(NonZeroU64::MIN);
    let answer = site.get(&slow, &head).await;
    ensure!(answer.delivery.is_none(), "a download with a rate is redirected: who would keep to the rate?");
    let ended = plain.clone().expires(std::time::Duration::ZERO);
    let answer = site.get(&ended, &head).await;
    ensure!(answer.delivery.is_none(), "a download whose terms leave no time is redirected");
    if !laws.replays {
        let site = Site::with_uses(Arc::clone(&laws.strategy), plain, Arc::new(OneUse));
        let answer = site.ask(Some(User::Alice), "known", &head).await;
        ensure!(answer.delivery.is_none(), "a grant of one use became a URL that can be used again");
    }
    Ok(())
}

struct OneUse;

struct Spent;

#[async_trait]
impl<S: Sync + ?Sized> UsageLimit<S, Download> for OneUse {
    async fn reserve(&self, _: &S, _: &Download) -> Result<Use, BoxError> {
        Ok(Use::Reserved(Box::new(Spent)))
    }

    async fn look(&self, _: &S, _: &Download) -> Result<Availability, BoxError> {
        Ok(Availability::Limited)
    }
}

#[async_trait]
impl Reservation for Spent {
    async fn commit(self: Box<Self>) -> Result<(), BoxError> {
        Ok(())
    }

    fn release(self: Box<Self>) {}
}
