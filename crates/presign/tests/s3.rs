//! URLs for S3: what stands in them, and what is not signed.

#![cfg(feature = "s3")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{Method, Response};
use secure_download_core::{
    Body, BoxError, CachePolicy, Download, FileKey, SignError, SignedUrl, Terms, UrlSigner,
};
use secure_download_presign::{CredentialProvider, Credentials, Presign, S3Bucket, S3Signer};
use support::{block_on, file, grant, now};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", SECRET).expect("complete")
}

fn bucket() -> S3Bucket {
    S3Bucket::at("https://s3.example", "eu-central-1", "scans").expect("a bucket")
}

fn sign(signer: &S3Signer, record: Download, lifetime: Duration) -> Result<SignedUrl, SignError> {
    block_on(signer.sign(&grant(record), &Method::GET, lifetime, now()))
}

const FIVE: Duration = Duration::from_secs(5);

/// Path, and the names and decoded values of the query.
fn parse(url: &SignedUrl) -> (String, Vec<(String, String)>) {
    let (path, query) = url.expose().split_once('?').expect("a query");
    let decode =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    let pairs = query.split('&').map(|pair| pair.split_once('=').expect("a value"));
    (path.to_owned(), pairs.map(|(name, value)| (decode(name), decode(value))).collect())
}

#[test]
fn every_header_of_the_plan_stands_in_the_url() {
    let signer = S3Signer::new(bucket(), credentials());
    let record =
        file("a b/ü+%2e.png").filename("Röntgen \"1\".png").content_type("image/png").version("v/1+");
    let url = sign(&signer, record, FIVE).expect("signed");
    let (path, query) = parse(&url);
    assert_eq!(path, "https://s3.example/scans/a%20b/%C3%BC%2B%252e.png");
    let expected = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "AKIDEXAMPLE/20231114/eu-central-1/s3/aws4_request"),
        ("X-Amz-Date", "20231114T221320Z"),
        ("X-Amz-Expires", "5"),
        ("X-Amz-SignedHeaders", "host"),
        ("response-cache-control", "private, no-store"),
        (
            "response-content-disposition",
            "attachment; filename=\"Rontgen _1_.png\"; filename*=UTF-8''R%C3%B6ntgen%20%221%22.png",
        ),
        ("response-content-type", "image/png"),
        ("versionId", "v/1+"),
    ];
    let (last, others) = query.split_last().expect("parameters");
    let others: Vec<_> = others.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(others, expected);
    assert_eq!((last.0.as_str(), last.1.len()), ("X-Amz-Signature", 64));
    assert!(!url.expose().contains('+'), "a space is never a plus");
    assert_eq!(url.expires_at(), now() + FIVE);
}

#[test]
fn the_date_is_never_rounded_up() {
    let signer = S3Signer::new(bucket(), credentials());
    let granted = grant(file("a"));
    let late = now() + Duration::from_nanos(999_999_999);
    let signed = |at| block_on(signer.sign(&granted, &Method::GET, FIVE, at)).expect("signed");
    assert_eq!(signed(late), signed(now()));
    for outside in
        [std::time::UNIX_EPOCH - FIVE, std::time::UNIX_EPOCH + Duration::from_secs(253_402_300_800)]
    {
        let refused = block_on(signer.sign(&granted, &Method::GET, FIVE, outside));
        assert!(matches!(refused, Err(SignError::Failed(_))));
    }
}

#[test]
fn no_url_outlives_its_credentials_or_seven_days() {
    let expires = |url: &SignedUrl| {
        let (_, query) = parse(url);
        let value = query.into_iter().find(|(name, _)| name == "X-Amz-Expires").expect("present").1;
        value.parse::<u64>().expect("a number")
    };
    let day = Duration::from_secs(86_400);
    for (left, lifetime, expected) in [
        (None, 8 * day, Some(604_800)),
        (Some(Duration::from_secs(3)), FIVE, Some(3)),
        (Some(Duration::from_millis(3_999)), FIVE, Some(3)),
        (Some(Duration::from_millis(999)), FIVE, None),
        (Some(Duration::ZERO), FIVE, None),
        (None, Duration::from_millis(999), None),
    ] {
        let credentials = match left {
            Some(left) => credentials().expires_at(now() + left),
            None => credentials(),
        };
        let signed = sign(&S3Signer::new(bucket(), credentials), file("a"), lifetime);
        match expected {
            Some(seconds) => {
                let url = signed.expect("signed");
                assert_eq!(expires(&url), seconds);
                assert_eq!(url.expires_at(), now() + Duration::from_secs(seconds));
            }
            None => assert!(matches!(signed, Err(SignError::Failed(_)))),
        }
    }
    let ended = credentials().expires_at(now() - FIVE);
    let signed = sign(&S3Signer::new(bucket(), ended), file("a"), FIVE);
    assert!(matches!(signed, Err(SignError::Failed(_))));
}

#[test]
fn what_cannot_be_carried_is_not_signed() {
    let signer = S3Signer::new(bucket(), credentials());
    let unknown = sign(&signer, file("a").volume("other"), FIVE);
    assert!(matches!(unknown, Err(SignError::Inexpressible(_))));
    // Keys that a URL parser would change are no keys at all.
    for key in ["../other-bucket/secret", "a/./b", "a//b", "/a", "a/", "a\r\nb", "..\\a"] {
        assert!(FileKey::parse(key).is_err(), "{key:?}");
    }
}

#[test]
fn a_volume_is_signed_for_its_own_bucket_only() {
    let other = S3Bucket::at("http://127.0.0.1:9000", "us-east-1", "tenant-7").expect("a bucket");
    let signer = S3Signer::new(bucket(), credentials()).volume("seven", other);
    let start = |record| parse(&sign(&signer, record, FIVE).expect("signed")).0;
    assert_eq!(start(file("a")), "https://s3.example/scans/a");
    assert_eq!(start(file("a").volume("seven")), "http://127.0.0.1:9000/tenant-7/a");
}

#[test]
fn a_session_token_is_part_of_the_signature() {
    let with = |token: &str| credentials().session_token(token);
    let signed = |credentials| sign(&S3Signer::new(bucket(), credentials), file("a"), FIVE).expect("signed");
    let (_, query) = parse(&signed(with("a/b+c==")));
    assert_eq!(query[4], ("X-Amz-Security-Token".to_owned(), "a/b+c==".to_owned()));
    let signature = |url: SignedUrl| parse(&url).1.pop().expect("present").1;
    assert_ne!(signature(signed(with("one"))), signature(signed(with("two"))));
    assert_ne!(signature(signed(with("one"))), signature(signed(credentials())));
}

/// Counts how often it is asked, and changes its answer.
struct Turning(AtomicUsize, [Arc<Credentials>; 2]);

#[async_trait]
impl CredentialProvider for Turning {
    async fn credentials(&self) -> Result<Arc<Credentials>, BoxError> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            turn @ 0..4 => Ok(Arc::clone(&self.1[turn / 2])),
            _ => Err("the metadata service is gone".into()),
        }
    }
}

#[test]
fn renewed_credentials_are_used_at_once() {
    let two = [credentials(), Credentials::new("AKIDOTHER", "other").expect("complete")];
    let fixed = two.clone().map(|credentials| S3Signer::new(bucket(), credentials));
    let signer = S3Signer::with_provider(bucket(), Turning(AtomicUsize::new(0), two.map(Arc::new)));
    for turn in [0, 0, 1, 1] {
        let url = sign(&signer, file("a"), FIVE).expect("signed");
        assert_eq!(url, sign(&fixed[turn], file("a"), FIVE).expect("signed"));
    }
    // The provider fails from now on; what it gave has no end.
    assert_eq!(
        sign(&signer, file("a"), FIVE).expect("signed"),
        sign(&fixed[1], file("a"), FIVE).expect("signed")
    );
}

#[test]
fn one_signer_keeps_to_the_day_it_is_asked_for() {
    let signer = S3Signer::new(bucket(), credentials());
    let granted = grant(file("a"));
    let day = Duration::from_secs(86_400);
    for at in [now(), now() + day, now(), now() - day] {
        let fresh = S3Signer::new(bucket(), credentials());
        let signed =
            |signer: &S3Signer| block_on(signer.sign(&granted, &Method::HEAD, FIVE, at)).expect("signed");
        assert_eq!(signed(&signer), signed(&fresh));
    }
}

#[test]
fn debug_and_errors_show_no_secret_and_no_url() {
    let signer = S3Signer::new(bucket(), credentials().session_token("session-token"));
    let url = sign(&signer, file("secret-key-name"), FIVE).expect("signed");
    let ended = credentials().expires_at(now() - FIVE);
    let error = sign(&S3Signer::new(bucket(), ended), file("a"), FIVE).expect_err("ended");
    let shown = format!("{signer:?} {url:?} {error:?} {error}");
    for hidden in [SECRET, "session-token", "AKIDEXAMPLE", "X-Amz-Signature", "secret-key-name"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

/// What a gate over this strategy answers.
fn ask(presign: &Presign, record: &Download, terms: Terms) -> Response<Body> {
    let gate = support::gate(record.clone(), terms, presign.clone());
    block_on(async { gate.serve(&(), "known", &support::head(&Method::GET, &[])).await })
}

fn header(response: &Response<Body>, name: &str) -> String {
    let values = response.headers().get_all(name).iter().map(|value| value.to_str().expect("ASCII"));
    values.collect::<Vec<_>>().join(", ")
}

fn parameter(response: &Response<Body>, name: &str) -> String {
    let url = SignedUrl::new(header(response, "location"), now());
    parse(&url).1.into_iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default()
}

/// Whole seconds since 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("behind 1970").as_secs()
}

/// Runs `test` within one window of so many seconds, however often that takes.
fn within_one_window(window: u64, test: impl Fn() -> Box<dyn FnOnce()>) {
    for _ in 0..5 {
        let before = seconds() / window;
        let judge = test();
        if before == seconds() / window {
            return judge();
        }
    }
    panic!("every attempt crossed the end of a window");
}

#[test]
fn a_stable_url_is_the_same_from_every_process_for_a_while() {
    within_one_window(600, || {
        let presign = || {
            let signer = S3Signer::new(bucket(), credentials());
            Presign::new(signer).stable_for(Duration::from_secs(600))
        };
        let thumbnail = file("a").content_type("image/png").filename("a.png");
        let began = seconds() / 600 * 600;
        let (one, other) =
            (ask(&presign(), &thumbnail, Terms::new()), ask(&presign(), &thumbnail, Terms::new()));
        let named = thumbnail.clone().cache(CachePolicy::Private { max_age: Duration::from_secs(60) });
        let named = ask(&presign(), &named, Terms::new());
        let bounded = ask(&presign().max_expires(Duration::from_secs(300)), &thumbnail, Terms::new());
        let json = ask(&presign().json(), &thumbnail, Terms::new());
        Box::new(move || {
            assert_eq!(header(&one, "location"), header(&other, "location"));
            assert_eq!(parameter(&one, "X-Amz-Expires"), "605");
            assert_eq!(parameter(&one, "response-cache-control"), "private, max-age=600");
            assert_eq!(parameter(&named, "response-cache-control"), "private, max-age=60");
            // Half of it is the window, so what the client keeps is good as long as it is kept.
            assert_eq!(parameter(&bounded, "X-Amz-Expires"), "155");
            assert_eq!(parameter(&bounded, "response-cache-control"), "private, max-age=150");
            for response in [&one, &named] {
                let kept = header(response, "cache-control");
                let left: u64 =
                    kept.strip_prefix("private, max-age=").expect("kept").parse().expect("seconds");
                assert!(left <= began + 600 - seconds().min(began + 599) + 1, "{kept}");
                assert_eq!(header(response, "vary"), "Cookie, Authorization");
                assert_eq!(header(response, "cdn-cache-control"), "no-store");
            }
            assert_eq!(header(&json, "vary"), "Cookie, Authorization, Accept");
        })
    });
}

#[test]
fn a_stable_url_lives_no_longer_than_terms_policy_and_credentials() {
    let window = Duration::from_secs(3600);
    let presign = |credentials| Presign::new(S3Signer::new(bucket(), credentials)).stable_for(window);
    let ending = credentials().expires_at(SystemTime::now() + Duration::from_secs(5));
    let never = file("a").cache(CachePolicy::NoStore);
    let short = Terms::new().expires(Duration::from_secs(7));
    for (credentials, record, terms, longest) in [
        (credentials(), &never, Terms::new(), 5),
        (credentials(), &file("a"), short, 7),
        (ending, &file("a"), Terms::new(), 5),
    ] {
        let before = seconds();
        let response = ask(&presign(credentials), record, terms);
        assert_eq!(header(&response, "cache-control"), "private, no-store", "{record:?}");
        assert_eq!(parameter(&response, "response-cache-control"), "private, no-store", "{record:?}");
        let expires: u64 = parameter(&response, "X-Amz-Expires").parse().expect("seconds");
        assert!(expires <= longest, "{expires}");
        let dated = parameter(&response, "X-Amz-Date");
        let clock = &dated[9..15];
        let of_day = |at: usize| clock[at..at + 2].parse::<u64>().expect("two digits");
        let signed = of_day(0) * 3600 + of_day(2) * 60 + of_day(4);
        let late = (86_400 + signed - before % 86_400) % 86_400;
        assert!(late < 600, "it is dated when it was made: {dated}");
    }
}
