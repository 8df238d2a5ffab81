//! Short forms and query strings.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::{Page, refusal};

/// The longest form that is read, in bytes. Uploads are not forms in this sense.
pub const FORM_LIMIT: usize = 64 * 1024;

/// The fields of an `application/x-www-form-urlencoded` body.
#[derive(Debug)]
pub struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    /// Takes a form apart.
    ///
    /// # Errors
    /// The page to answer with if the body is of another type.
    pub fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Page> {
        let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if !essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            return Err(refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This address takes a form of the type application/x-www-form-urlencoded.",
            ));
        }
        Ok(Self { fields: form_urlencoded::parse(body).into_owned().collect() })
    }

    /// The first field of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// The first field of that name in a query string.
pub(crate) fn query_field(query: Option<&str>, name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

/// Whether a query string asks to show the file instead of saving it.
#[must_use]
pub fn asks_inline(query: Option<&str>) -> bool {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .any(|(name, value)| name == "inline" && value == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_is_asked_for_by_one_exact_word() {
        for (query, inline) in [
            (None, false),
            (Some(""), false),
            (Some("inline=1"), true),
            (Some("a=b&inline=1"), true),
            (Some("inline=0"), false),
            (Some("inline"), false),
            (Some("inline=%31"), true),
            (Some("inline=1;"), false),
        ] {
            assert_eq!(asks_inline(query), inline, "{query:?}");
        }
    }
}
