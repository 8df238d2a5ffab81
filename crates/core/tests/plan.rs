//! The headers that every client must end up seeing.

mod support;

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use http::Method;
use secure_download_core::{
    CachePolicy, ContentPolicy, CrossOriginPolicy, Download, FileStamp, Gate, Representation, RequestHead,
    ResponsePlan, Selection,
};
use support::{Answer, allow, fields, file, head, now, one, plan_for};

/// The policy of what is saved.
const ATTACHMENT: &str =
    "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// The fields of a plan, without those that are the same for all.
fn special(plan: &ResponsePlan) -> Vec<(String, String)> {
    let common = ["x-content-type-options", "referrer-policy", "cdn-cache-control"];
    fields(plan.headers()).into_iter().filter(|(name, _)| !common.contains(&name.as_str())).collect()
}

#[test]
fn a_plan_without_wishes_is_the_strictest() {
    let plan = plan_for(file("a/b"), ContentPolicy::new());
    let expected = [
        ("cache-control", "private, no-store"),
        ("cdn-cache-control", "no-store"),
        ("content-disposition", "attachment; filename=\"download\""),
        ("content-security-policy", ATTACHMENT),
        ("content-type", "application/octet-stream"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ];
    assert_eq!(fields(plan.headers()), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn records_and_policies_shape_the_plan() {
    let sandbox = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; \
                   base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
    let media = "sandbox allow-same-origin; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
    let viewer = "default-src 'none'; object-src 'self'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; \
                  form-action 'none'; frame-ancestors 'self'";
    let strict = ContentPolicy::new;
    let named = |name: &str, media_type: &str| file("a").filename(name).content_type(media_type);
    type Row<'a> = (Download, ContentPolicy, &'a str, &'a str, &'a str);
    let cases: [Row<'_>; 11] = [
        (named("a.png", "image/png"), strict(), "image/png", "attachment; filename=\"a.png\"", ATTACHMENT),
        (named("a.png", "image/png").inline(), strict(), "image/png", "inline; filename=\"a.png\"", sandbox),
        (named("a.mp4", "video/mp4").inline(), strict(), "video/mp4", "inline; filename=\"a.mp4\"", media),
        (
            named("a.xml", "video/x+xml").inline(),
            strict(),
            "video/x+xml",
            "attachment; filename=\"a.xml\"",
            ATTACHMENT,
        ),
        (
            named("a.html", "text/html").inline(),
            strict(),
            "text/html",
            "attachment; filename=\"a.html\"",
            ATTACHMENT,
        ),
        (
            named("a.svg", "image/svg+xml").inline(),
            strict(),
            "image/svg+xml",
            "attachment; filename=\"a.svg\"",
            ATTACHMENT,
        ),
        (
            named("a.js", "text/javascript"),
            strict(),
            "application/octet-stream",
            "attachment; filename=\"a.js\"",
            ATTACHMENT,
        ),
        (
            named("a.pdf", "application/pdf").inline(),
            strict(),
            "application/pdf",
            "attachment; filename=\"a.pdf\"",
            ATTACHMENT,
        ),
        (
            named("a.pdf", "application/pdf").inline(),
            strict().inline_pdf(),
            "application/pdf",
            "inline; filename=\"a.pdf\"",
            viewer,
        ),
        (
            named("a.html", "text/html").inline(),
            strict().danger_inline_active_content(),
            "text/html",
            "inline; filename=\"a.html\"",
            sandbox,
        ),
        (
            named("ä \"b\"; c%20.pdf", "application/pdf"),
            strict(),
            "application/pdf",
            "attachment; filename=\"a _b_; c_20.pdf\"; filename*=UTF-8''%C3%A4%20%22b%22%3B%20c%2520.pdf",
            ATTACHMENT,
        ),
    ];
    for (record, policy, content_type, disposition, sandboxed) in cases {
        let name = record.raw_filename().map(str::to_owned);
        let plan = plan_for(record, policy);
        let value = |header: &str| plan.headers().get(header).map(|value| value.to_str().expect("ASCII"));
        assert_eq!(value("content-type"), Some(content_type), "{name:?}");
        assert_eq!(value("content-disposition"), Some(disposition), "{name:?}");
        assert_eq!(value("content-security-policy"), Some(sandboxed), "{name:?}");
    }
}

#[test]
fn every_kind_of_content_is_framed_by_the_pages_that_the_app_names() {
    let named = "frame-ancestors 'self' https://app.corp.example https://*.corp.example:8443";
    let sources = ["'self'", "https://app.corp.example", "https://*.corp.example:8443"];
    let policy = ContentPolicy::new().inline_pdf().frame_ancestors(sources).expect("origins");
    for media_type in
        ["application/pdf", "image/png", "video/mp4", "text/plain", "text/html", "application/zip", "?"]
    {
        for record in [file("a").content_type(media_type), file("a").content_type(media_type).inline()] {
            let plan = plan_for(record, policy.clone());
            let value = plan.headers()["content-security-policy"].to_str().expect("ASCII");
            assert!(value.ends_with(&format!("; {named}")), "{media_type}: {value}");
            assert_eq!(plan.headers()["cross-origin-resource-policy"], "same-origin", "another question");
        }
    }
    assert!(ContentPolicy::new().frame_ancestors(["https://app.corp.example/; script-src *"]).is_err());
}

#[test]
fn a_text_gets_the_charset_that_the_app_declares() {
    for (record, policy, sent) in [
        (file("a").content_type("text/plain"), ContentPolicy::new(), "text/plain"),
        (
            file("a").content_type("text/plain"),
            ContentPolicy::new().text_is_utf8(),
            "text/plain; charset=utf-8",
        ),
        (file("a").content_type("text/csv").text_is_utf8(), ContentPolicy::new(), "text/csv; charset=utf-8"),
        (
            file("a").content_type("text/plain; charset=utf-16").text_is_utf8(),
            ContentPolicy::new().text_is_utf8(),
            "text/plain; charset=utf-16",
        ),
    ] {
        assert_eq!(plan_for(record.clone(), policy.clone()).headers()["content-type"], sent);
        assert_eq!(plan_for(record.inline(), policy).headers()["content-type"], sent);
    }
}

#[test]
fn framing_that_outweighs_the_ranges_is_the_whole_file() {
    let long = format!("text/plain; a={}", "x".repeat(241));
    let too_long = format!("text/plain; a={}", "x".repeat(60_000));
    let single =
        |count: u64| (0..count).map(|n| format!("{0}-{0}", n * 10_000)).collect::<Vec<_>>().join(",");
    let far = (0..200).map(|n| format!("{}-{}", n * 10_000, n * 10_000 + 999)).collect::<Vec<_>>().join(",");
    for (media_type, ranges, status) in [
        ("text/plain", single(200), 206),
        (&*long, single(200), 200),
        (&*long, far, 206),
        (&*long, "0-0,-1".to_owned(), 206),
        (&*too_long, single(200), 206),
    ] {
        let plan = plan_for(file("a").content_type(media_type), ContentPolicy::new());
        let found = Representation { length: 3_000_000, etag: None, last_modified: None };
        let request = head(&Method::GET, &[("range", &format!("bytes={ranges}"))]);
        let Selection::Send(sending) = plan.select(&request, &found, now()) else { panic!("a file") };
        let length = sending.parts().length();
        let response = sending.with_body(secure_download_core::Body::empty());
        assert_eq!(response.status(), status, "{} bytes of type", media_type.len());
        if status == 200 {
            assert_eq!(
                (length, &response.headers()["content-type"]),
                (3_000_000, &media_type.parse().expect("a type"))
            );
        } else {
            assert!(length < 300_000, "{length}");
        }
    }
}

#[test]
fn a_files_tag_tells_its_length_and_time_whenever_that_is() {
    let hour = Duration::from_secs(3600);
    // After the last nanosecond that 64 bits count from 1970 on, which is in the year 2554.
    let far = UNIX_EPOCH + Duration::from_secs(1 << 35);
    let times = [UNIX_EPOCH - hour, UNIX_EPOCH, UNIX_EPOCH + hour, far];
    let mut seen = HashSet::new();
    for modified in times {
        for length in [1, 0x10] {
            let settled = Representation::of_file(length, modified, modified + hour);
            assert_eq!(settled, Representation::of_file(length, modified, modified + 2 * hour));
            assert_ne!(
                settled.etag,
                Representation::of_file(length, modified, modified).etag,
                "weak at first"
            );
            assert!(seen.insert(settled.etag.expect("a tag").to_string()), "{modified:?} {length}");
        }
    }
}

#[test]
fn a_local_files_tag_tells_everything_that_the_file_system_tells() {
    let hour = Duration::from_secs(3600);
    let then = UNIX_EPOCH + 1000 * hour;
    let stamp = FileStamp { length: 10, modified: then, changed: then, inode: 7 };
    let tag = |stamp: &FileStamp, now| Representation::of_local_file(stamp, now).etag.expect("a tag");
    let own = tag(&stamp, then + hour);
    assert!(!own.is_weak());
    assert_eq!(own, tag(&stamp, then + 2 * hour));
    let nano = Duration::from_nanos(1);
    for other in [
        FileStamp { length: 11, ..stamp },
        FileStamp { modified: then + nano, ..stamp },
        FileStamp { changed: then + nano, ..stamp },
        FileStamp { inode: 8, ..stamp },
        // The same digits, in other places.
        FileStamp { modified: then + nano, changed: then - nano, ..stamp },
    ] {
        assert_ne!(own, tag(&other, then + hour), "{other:?}");
    }
    for fresh in [FileStamp { modified: then - hour, ..stamp }, FileStamp { changed: then - hour, ..stamp }] {
        assert!(tag(&fresh, then + Duration::from_secs(1)).is_weak(), "{fresh:?}");
    }
    let minute = Duration::from_secs(60);
    assert!(stamp.dates_itself() && FileStamp { changed: then - minute, ..stamp }.dates_itself());
    assert!(!FileStamp { changed: then + minute, ..stamp }.dates_itself());
}

#[test]
fn caches_of_others_never_keep_a_download() {
    let hour = CachePolicy::Private { max_age: Duration::from_secs(3600) };
    let plan = plan_for(file("a").cache(hour), ContentPolicy::new());
    let fields = special(&plan);
    let value = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    assert_eq!(value("cache-control"), Some("private, max-age=3600"));
    assert_eq!(value("vary"), Some("Cookie, Authorization"));
    assert_eq!(plan.headers()["cdn-cache-control"], "no-store");
}

#[test]
fn the_resource_policy_is_the_apps_choice() {
    for (policy, value) in [
        (CrossOriginPolicy::SameOrigin, "same-origin"),
        (CrossOriginPolicy::SameSite, "same-site"),
        (CrossOriginPolicy::CrossOrigin, "cross-origin"),
    ] {
        let policy = ContentPolicy::new().cross_origin(policy);
        assert_eq!(plan_for(file("a"), policy.clone()).headers()["cross-origin-resource-policy"], value);
        let gate = Gate::builder(one(file("a")))
            .authorizer(allow::<(), Download>)
            .strategy(support::memory(b"text"))
            .content_policy(policy)
            .build();
        let refused = Answer::of(futures::executor::block_on(gate.serve(&(), "x", &support::get())));
        assert_eq!(refused.header("cross-origin-resource-policy"), Some(value), "refusals too");
    }
}

/// The answer that the plan gives to a request for ten bytes.
fn selected(request: &RequestHead) -> Answer {
    let plan = plan_for(file("a").content_type("text/plain").inline(), ContentPolicy::new());
    let etag = secure_download_core::ETag::strong("v1");
    let found = Representation { length: 10, etag, last_modified: Some(now() - Duration::from_secs(3600)) };
    match plan.select(request, &found, now()) {
        Selection::Answered(response) => Answer::of(response),
        Selection::Send(sending) => {
            let bytes = bytes::Bytes::from_static(b"0123456789");
            let body = support::body_of(sending.parts().clone(), &bytes);
            Answer::of(sending.with_body(body))
        }
    }
}

#[test]
fn each_status_carries_its_own_fields_and_no_more() {
    let all = [
        "accept-ranges",
        "cache-control",
        "cdn-cache-control",
        "content-disposition",
        "content-length",
        "content-security-policy",
        "content-type",
        "cross-origin-resource-policy",
        "etag",
        "last-modified",
        "referrer-policy",
        "x-content-type-options",
    ];
    let partial = [&all[..4], &["content-length", "content-range"], &all[5..]].concat();
    let bare = [
        "cache-control",
        "cdn-cache-control",
        "content-length",
        "cross-origin-resource-policy",
        "referrer-policy",
        "x-content-type-options",
    ];
    let beyond = [&["accept-ranges"], &bare[..3], &["content-range"], &bare[3..]].concat();
    let cases: [(support::Fields<'_>, u16, &[&str], &str); 5] = [
        (&[], 200, &all, "0123456789"),
        (&[("range", "bytes=2-4")], 206, &partial, "234"),
        (&[("if-none-match", "\"v1\"")], 304, &["cache-control", "cdn-cache-control", "etag"], ""),
        (&[("if-match", "\"v2\"")], 412, &bare, ""),
        (&[("range", "bytes=10-")], 416, &beyond, ""),
    ];
    for (request, status, names, body) in cases {
        let answer = selected(&head(&Method::GET, request));
        assert_eq!(answer.status, status, "{request:?}");
        let present: Vec<_> = answer.fields().into_iter().map(|(name, _)| name).collect();
        assert_eq!(present, names, "{request:?}");
        assert_eq!(answer.body, body.as_bytes(), "{request:?}");
    }
    let of_head = selected(&head(&Method::HEAD, &[("range", "bytes=2-4")]));
    let of_get = selected(&head(&Method::GET, &[]));
    assert_eq!((of_head.status, of_head.fields()), (of_get.status, of_get.fields()));
    assert!(of_head.body.is_empty());
}

#[test]
fn errors_about_a_request_may_be_kept_by_nobody() {
    let plan = || {
        let cached = file("a").cache(CachePolicy::Private { max_age: Duration::from_secs(3600) });
        plan_for(cached, ContentPolicy::new())
    };
    let found =
        Representation { length: 10, etag: None, last_modified: Some(now() - Duration::from_secs(3600)) };
    for (request, status) in [([("if-match", "\"v2\"")], 412), ([("range", "bytes=10-")], 416)] {
        let Selection::Answered(response) = plan().select(&head(&Method::GET, &request), &found, now())
        else {
            panic!("{status} is an answer");
        };
        let answer = Answer::of(response);
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (status, Some("no-store")));
    }
}

#[test]
fn no_file_can_hold_its_own_boundary() {
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let answer = selected(&head(&Method::GET, &[("range", "bytes=0-1,4-5")]));
        let content_type = answer.header("content-type").expect("parts").to_owned();
        let boundary =
            content_type.strip_prefix("multipart/byteranges; boundary=").expect("parts").to_owned();
        assert_eq!(boundary.len(), 32);
        assert!(seen.insert(boundary), "said twice");
    }
}
