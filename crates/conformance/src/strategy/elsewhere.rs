//! Strategies that do not send the bytes themselves.

use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, IF_NONE_MATCH, RANGE};
use http::{Method, StatusCode};
use secure_download_core::ETag;

use super::samples::PLAIN;
use super::{Kind, Laws, sample};
use crate::law::{Verdict, ensure};

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
