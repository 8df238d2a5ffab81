//! The style sheet, the scripts and the icon.

use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};

use crate::page::answer;
use crate::{Page, refusal};

const ASSETS: [(&str, &str, &str); 5] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../assets/style.css")),
    ("upload.js", "text/javascript; charset=utf-8", include_str!("../assets/upload.js")),
    ("menus.js", "text/javascript; charset=utf-8", include_str!("../assets/menus.js")),
    ("copy.js", "text/javascript; charset=utf-8", include_str!("../assets/copy.js")),
    ("icon.svg", "image/svg+xml", include_str!("../assets/icon.svg")),
];

/// Answers `GET /assets/{name}`.
#[must_use]
pub fn asset(name: &str) -> Page {
    let Some((_, content_type, text)) = ASSETS.iter().find(|(known, ..)| *known == name) else {
        return refusal(StatusCode::NOT_FOUND, "");
    };
    let mut page = answer(StatusCode::OK, content_type, *text);
    page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    page
}
