//! The V4 signing process: canonical request, string to sign, URL.
//!
//! <https://cloud.google.com/storage/docs/authentication/canonical-requests>

use secure_download_core::SignError;
use sha2::{Digest as _, Sha256};

use super::GcsKey;
use crate::timestamp::{self, Timestamp};
use crate::{hex, percent};

/// A request that is not signed yet.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    /// Scheme and authority.
    pub(super) origin: &'a str,
    /// Encoded.
    pub(super) path: &'a str,
    /// Lower-case names in order, with their trimmed values.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) query: &'a [(&'a str, &'a str)],
    /// A hash, or `UNSIGNED-PAYLOAD`.
    pub(super) payload: &'a str,
}

/// What is signed, and what the signature is appended to.
pub(super) struct ToSign {
    #[cfg(test)]
    pub(super) canonical: String,
    pub(super) text: String,
    pub(super) date: String,
    pub(super) url: String,
}

impl Unsigned<'_> {
    pub(super) fn to_sign(&self, key: &GcsKey, now: Timestamp, lifetime: u64) -> ToSign {
        let date = now.basic_date();
        let mut moment = format!("{date}T");
        now.push_basic_time(&mut moment);
        let scope = format!("{date}/auto/storage/goog4_request");
        let names: Vec<_> = self.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let (credential, mut expires) = (format!("{}/{scope}", key.id()), String::new());
        timestamp::push_number(&mut expires, lifetime);

        let mut query: Vec<(String, String)> = [
            ("X-Goog-Algorithm", key.algorithm()),
            ("X-Goog-Credential", &credential),
            ("X-Goog-Date", &moment),
            ("X-Goog-Expires", &expires),
            ("X-Goog-SignedHeaders", &names),
        ]
        .iter()
        .chain(self.query)
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
        query.sort();
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = query.join("&");

        let mut canonical = format!("{}\n{}\n{query}\n", self.method, self.path);
        for (name, value) in self.headers {
            canonical.extend([name, ":", value, "\n"]);
        }
        canonical.extend(["\n", &names, "\n", self.payload]);
        let mut text = format!("{}\n{moment}\n{scope}\n", key.algorithm());
        text.extend(hex::hex(Sha256::digest(&canonical).into()).map(char::from));
        let url = format!("{}{}?{query}&X-Goog-Signature=", self.origin, self.path);
        ToSign {
            #[cfg(test)]
            canonical,
            text,
            date,
            url,
        }
    }
}

impl ToSign {
    pub(super) fn sign(mut self, key: &GcsKey) -> Result<String, SignError> {
        hex::push(&mut self.url, &key.sign(&self.date, &self.text)?);
        Ok(self.url)
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    percent::push(&mut out, text);
    out
}

#[cfg(test)]
#[path = "vectors.rs"]
mod vectors;
