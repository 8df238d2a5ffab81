//! Which clients want JSON, RFC 9110 section 12.5.1.

use http::header::ACCEPT;
use secure_download_core::RequestHead;

/// Whether `Accept` names `application/json`, and nothing else with a higher weight. A wildcard does not name it.
pub(crate) fn prefers_json(head: &RequestHead) -> bool {
    let (mut json, mut others) = (0, 0);
    for line in head.fields(ACCEPT) {
        // What is not UTF-8 names neither type, and takes nothing from the others.
        for range in line.as_bytes().split(|byte| *byte == b',') {
            let range = String::from_utf8_lossy(range);
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let best = if name.eq_ignore_ascii_case("application/json") { &mut json } else { &mut others };
            *best = (*best).max(weight(parts));
        }
    }
    json > 0 && json >= others
}

/// The weight in thousandths, section 12.4.2. An unreadable one counts as none.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u32 {
    let value = parameters.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let Some(value) = value else { return 1000 };
    match value.parse::<f32>() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1000.0) as u32,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, Method};

    #[test]
    fn json_is_for_clients_that_name_it() {
        for (lines, expected) in [
            (&[][..], false),
            (&["*/*"], false),
            (&["application/*"], false),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], false),
            (&["image/avif,image/webp,*/*;q=0.8"], false),
            (&["application/json"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["application/json, text/plain, */*"], true),
            (&["application/json;q=0.5, */*;q=0.1"], true),
            (&["application/json;q=0.5, text/html"], false),
            (&["text/html;q=0.4", "application/json;q=0.5"], true),
            (&["application/json;q=0"], false),
            (&["application/json;q=nonsense"], false),
            (&["application/json;q=2"], false),
            (&["application/jsonp"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT, HeaderValue::from_static(line));
            }
            assert_eq!(prefers_json(&RequestHead::new(&Method::GET, &headers)), expected, "{lines:?}");
        }
        let line = HeaderValue::from_bytes(b"text/\xff;q=0.1, application/json").expect("a value");
        let headers = HeaderMap::from_iter([(ACCEPT, line)]);
        assert!(prefers_json(&RequestHead::new(&Method::GET, &headers)), "beside what is not ASCII");
    }
}
