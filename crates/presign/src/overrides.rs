//! The headers that a signature must make the store send.

use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use secure_download_core::{Grant, SignError};

/// The longest value that is signed: stores and proxies bound the length of a URL.
const LONGEST: usize = 2048;

/// What the client must see, as the plan says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overrides<'a> {
    pub(crate) cache_control: &'a str,
    pub(crate) content_disposition: &'a str,
    pub(crate) content_type: &'a str,
}

impl<'a> Overrides<'a> {
    /// Control bytes garble the answers of some stores, and others refuse what is not ASCII, so neither is signed.
    pub(crate) fn of(grant: &'a Grant) -> Result<Self, SignError> {
        let printable = |name: HeaderName| {
            let value = grant.plan().headers().get(name).map(HeaderValue::as_bytes);
            value
                .filter(|value| !value.is_empty() && value.len() <= LONGEST)
                .filter(|value| value.iter().all(|byte| (0x20..=0x7e).contains(byte)))
                .and_then(|value| std::str::from_utf8(value).ok())
        };
        Ok(Self {
            cache_control: printable(CACHE_CONTROL)
                .ok_or(SignError::Inexpressible("the Cache-Control is not printable ASCII"))?,
            content_disposition: printable(CONTENT_DISPOSITION)
                .ok_or(SignError::Inexpressible("the Content-Disposition is not printable ASCII"))?,
            content_type: printable(CONTENT_TYPE)
                .ok_or(SignError::Inexpressible("the Content-Type is too long or not printable ASCII"))?,
        })
    }
}
