//! Terms that whoever sends the file must keep.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, Method};
use secure_download_core::{AUDIT_ID, Availability, BoxError, Download, Reservation, UsageLimit, Use};

use super::plan::is_query;
use super::samples::PLAIN;
use super::{Kind, Laws, sample};
use crate::law::{Verdict, ensure};
use crate::signer::Url;
use crate::site::{Answer, Site, User};

pub(super) async fn kept(laws: &Laws) -> Verdict {
    let plain = sample(PLAIN)?.download();
    let head = laws.head(&Method::GET, &[]);
    let site = laws.site(plain.clone());
    rate(laws, &site, &plain).await?;
    if laws.kind == Kind::HandsOff {
        // A hand-off is no URL that anybody keeps: it has no end, unless the proxy is given one.
        return expiry(laws, &site, &plain).await;
    }
    let ended = plain.clone().expires(Duration::ZERO);
    let answer = site.get(&ended, &head).await;
    ensure!(answer.delivery.is_none(), "a download whose terms leave no time is redirected");
    expiry(laws, &site, &plain).await?;
    if !laws.replays {
        let site = Site::with_uses(Arc::clone(&laws.strategy), plain, Arc::new(OneUse));
        let answer = site.ask(Some(User::Alice), "known", &head).await;
        ensure!(answer.delivery.is_none(), "a grant of one use became a URL that can be used again");
    }
    Ok(())
}

/// A proxy is told the rate. Nobody tells a store.
async fn rate(laws: &Laws, site: &Site, plain: &Download) -> Verdict {
    let head = laws.head(&Method::GET, &[]);
    let rates = [NonZeroU64::new(12_345), NonZeroU64::new(54_321)].into_iter().flatten();
    let mut told = vec![steady_fields(&site.get(plain, &head).await)];
    for rate in rates {
        let answer = site.get(&plain.clone().rate(rate), &head).await;
        if answer.delivery.is_none() {
            continue;
        }
        ensure!(
            laws.kind == Kind::HandsOff,
            "a download with a rate is redirected: who would keep to the rate?"
        );
        let fields = steady_fields(&answer);
        ensure!(!told.contains(&fields), "a download with a rate of {rate} is handed off as any other");
        told.push(fields);
    }
    Ok(())
}

/// What a proxy is told, but for what changes from one request to the next.
fn steady_fields(answer: &Answer) -> Vec<(HeaderName, HeaderValue)> {
    let fields = answer.extra().filter(|(name, _)| **name != AUDIT_ID && !is_query(name));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A signed URL ends when the terms say, as far as it can be read.
async fn expiry(laws: &Laws, site: &Site, plain: &Download) -> Verdict {
    let head = laws.head(&Method::GET, &[]);
    for asked in [1, 7, 60].map(Duration::from_secs) {
        let answer = site.get(&plain.clone().expires(asked), &head).await;
        laws.saw(&answer);
        let latest = SystemTime::now() + asked;
        for url in urls_of(&answer) {
            if let Some(ends) = url.ends() {
                let late = ends.duration_since(latest).unwrap_or_default();
                ensure!(late.is_zero(), "the terms leave {asked:?}, and the URL is good for {late:?} longer");
            }
        }
    }
    Ok(())
}

/// The signed URLs of an answer, whole or a query for the proxy.
fn urls_of(answer: &Answer) -> Vec<Url> {
    let fields = answer.extra().filter(|(_, value)| value.is_sensitive());
    let texts = fields.filter_map(|(name, value)| {
        let text = value.to_str().ok()?;
        Some(if is_query(name) { format!("/?{text}") } else { text.to_owned() })
    });
    texts.filter_map(|text| Url::read(&text).ok()).collect()
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
