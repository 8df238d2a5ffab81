//! [`Url`]: a signed URL, taken apart as a store would.

use std::fmt;

use percent_encoding::percent_decode_str;
use secure_download_core::SignedUrl;

/// A signed URL in its parts. `Debug` shows neither path nor values.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    origin: String,
    path: String,
    query: Vec<(String, String)>,
}

/// Why a text is no URL that a client would keep as it is, RFC 3986.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlError(pub(crate) &'static str);

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UrlError {}

impl Url {
    pub(crate) fn parse(signed: &SignedUrl) -> Result<Self, UrlError> {
        Self::read(signed.expose())
    }

    pub(crate) fn read(text: &str) -> Result<Self, UrlError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte)) {
            return Err(UrlError("it holds a character that is no part of a URI, or a fragment"));
        }
        let (before, query) = text.split_once('?').unwrap_or((text, ""));
        let authority = before.find("://").map(|at| at + 3);
        let path_at = match authority {
            Some(start) => before[start..].find('/').map_or(before.len(), |at| start + at),
            // The application's own site.
            None if before.starts_with('/') && !before.starts_with("//") => 0,
            None => return Err(UrlError("it is neither absolute nor a path of this site")),
        };
        let (origin, path) = before.split_at(path_at);
        if origin.contains('@') {
            return Err(UrlError("it holds user information"));
        }
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if value.contains('+') {
                return Err(UrlError(
                    "a plus in the query, which one store reads as a blank and another does not",
                ));
            }
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self { origin: origin.to_owned(), path: path.to_owned(), query: pairs })
    }

    /// Scheme, host and port; empty for a path of the application's own site.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path as it stands, escaped.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path with its escapes resolved, once.
    pub(crate) fn decoded_path(&self) -> Result<String, UrlError> {
        decode(&self.path)
    }

    /// Names and values of the query, decoded, in order.
    #[must_use]
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.query.iter().map(|(name, _)| name).collect();
        f.debug_struct("Url").field("origin", &self.origin).field("query", &names).finish_non_exhaustive()
    }
}

fn decode(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| UrlError("it is not UTF-8"))?;
    Ok(decoded.into_owned())
}
