//! Signature Version 4: what is the same for every signature of one day.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::sync::{Arc, PoisonError, RwLock};

use hmac::Mac as _;
use zeroize::Zeroizing;

use super::Credentials;
use crate::hex::hex;
use crate::mac::{Mac, keyed};
use crate::percent;
use crate::timestamp::Timestamp;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The signing key of one day, region, service and credential, and the texts that depend on no more.
pub(crate) struct Day {
    day: u64,
    credentials: Arc<Credentials>,
    /// Keyed: both of its pads are hashed already.
    mac: Mac,
    /// `20260101`.
    date: String,
    /// `20260101/us-east-1/s3/aws4_request`.
    scope: String,
    /// The query up to the date of `X-Amz-Date`.
    query: String,
    /// `&X-Amz-Security-Token=...`, or nothing.
    token: Zeroizing<String>,
}

impl Day {
    pub(crate) fn new(credentials: &Arc<Credentials>, region: &str, service: &str, now: Timestamp) -> Self {
        let date = now.basic_date();
        let mut key = Zeroizing::new(format!("AWS4{}", credentials.expose_secret_key()).into_bytes());
        for part in [date.as_bytes(), region.as_bytes(), service.as_bytes(), b"aws4_request"] {
            let mut mac = keyed(&key);
            mac.update(part);
            key = Zeroizing::new(mac.finalize().into_bytes().to_vec());
        }
        let scope = format!("{date}/{region}/{service}/aws4_request");
        let mut query = format!("X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential=");
        percent::push(&mut query, credentials.access_key());
        percent::push(&mut query, "/");
        percent::push(&mut query, &scope);
        query.push_str("&X-Amz-Date=");
        query.push_str(&date);
        query.push('T');
        let mut token = Zeroizing::new(String::new());
        if let Some(text) = credentials.expose_session_token() {
            token.push_str("&X-Amz-Security-Token=");
            percent::push(&mut token, text);
        }
        let mac = keyed(&key);
        Self { day: now.day(), credentials: Arc::clone(credentials), mac, date, scope, query, token }
    }

    /// Appends the parameters of a query signature, in their canonical order.
    pub(crate) fn push_query(&self, out: &mut String, now: Timestamp, lifetime: u64) {
        out.push_str(&self.query);
        now.push_basic_time(out);
        out.push_str("&X-Amz-Expires=");
        crate::timestamp::push_number(out, lifetime);
        out.push_str(&self.token);
        out.push_str("&X-Amz-SignedHeaders=host");
    }

    #[cfg(feature = "sts")]
    pub(crate) fn scope(&self) -> &str {
        &self.scope
    }

    /// Signs the hash of a canonical request, in hexadecimal.
    pub(crate) fn sign(&self, now: Timestamp, canonical_hash: [u8; 32]) -> [u8; 64] {
        let mut text = String::with_capacity(160);
        text.push_str(ALGORITHM);
        text.push('\n');
        text.push_str(&self.date);
        text.push('T');
        now.push_basic_time(&mut text);
        text.push('\n');
        text.push_str(&self.scope);
        text.push('\n');
        let hash = hex(canonical_hash);
        let mut mac = self.mac.clone();
        mac.update(text.as_bytes());
        mac.update(&hash);
        hex(mac.finalize().into_bytes().into())
    }
}

/// The latest day. Almost every signature is of it.
#[derive(Default)]
pub(crate) struct DayCache(RwLock<Option<Arc<Day>>>);

impl DayCache {
    pub(crate) fn get(
        &self,
        credentials: &Arc<Credentials>,
        region: &str,
        service: &str,
        now: Timestamp,
    ) -> Arc<Day> {
        let current = |day: &Arc<Day>| {
            day.day == now.day()
                && (Arc::ptr_eq(&day.credentials, credentials) || day.credentials == *credentials)
        };
        if let Some(day) = &*self.0.read().unwrap_or_else(PoisonError::into_inner)
            && current(day)
        {
            return Arc::clone(day);
        }
        let day = Arc::new(Day::new(credentials, region, service, now));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&day));
        day
    }
}

impl std::fmt::Debug for DayCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DayCache")
    }
}
