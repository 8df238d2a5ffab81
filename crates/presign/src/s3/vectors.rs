//! Published signatures: the AWS documentation's presigned GET, and the Signature Version 4 test suite.

use serde_json::Value;

use super::*;
use crate::s3::day::Day;

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A moment in either form of ISO 8601.
fn moment(text: &str) -> SystemTime {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| digits[from..to].parse::<u8>().expect("digits");
    let year = digits[..4].parse().expect("digits");
    let month = time::Month::try_from(part(4, 6)).expect("a month");
    let date = time::Date::from_calendar_date(year, month, part(6, 8)).expect("a date");
    date.with_hms(part(8, 10), part(10, 12), part(12, 14)).expect("a time").assume_utc().into()
}

#[test]
fn the_documentations_presigned_get() {
    let vector = read(include_str!("../../tests/vectors/aws_docs_presigned_get.json"));
    let text = |name: &str| vector[name].as_str().expect("a text");
    let bucket = S3Bucket::at("https://s3.amazonaws.com", text("region"), "examplebucket")
        .and_then(S3Bucket::virtual_host)
        .expect("a bucket");
    assert_eq!(bucket.host(), text("host"));
    let credentials = Arc::new(Credentials::new(text("access_key"), text("secret_key")).expect("complete"));
    let key = FileKey::parse(text("path").trim_start_matches('/')).expect("a key");
    let object = Object { key: &key, version: None, overrides: None, audit_id: None };
    let now = moment(text("amz_date"));
    let lifetime = Duration::from_secs(vector["expires"].as_u64().expect("seconds"));
    let signed = Place::new(bucket).sign(&credentials, &object, &Method::GET, lifetime, now).expect("signed");
    let expected = format!(
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
        text("signature")
    );
    assert_eq!(signed.expose(), expected);
    assert_eq!(signed.expires_at(), now + lifetime);
}

#[test]
fn the_suites_keys_signatures_and_queries() {
    let suite = read(include_str!("../../tests/vectors/aws_sigv4_suite.json"));
    let (mut signatures, mut queries, mut paths) = (0, 0, 0);
    for case in suite["cases"].as_array().expect("cases") {
        let text = |name: &str| case[name].as_str().expect("a text");
        let context = &case["context"];
        let of_context = |name: &str| context[name].as_str().expect("a text");
        let secret = |name: &str| context["credentials"][name].as_str();
        let mut credentials = Credentials::new(
            secret("access_key_id").expect("a text"),
            secret("secret_access_key").expect("a text"),
        )
        .expect("complete");
        if let Some(token) = secret("token").filter(|_| context["omit_session_token"] != true) {
            credentials = credentials.session_token(token);
        }
        let now = Timestamp::new(moment(of_context("timestamp"))).expect("in range");
        let day = Day::new(&Arc::new(credentials), of_context("region"), of_context("service"), now);

        for form in ["query", "header"] {
            let canonical = text(&format!("{form}_canonical_request"));
            let signature = day.sign(now, Sha256::digest(canonical).into());
            let expected = text(&format!("{form}_signature")).as_bytes();
            assert_eq!(signature.as_slice(), expected, "{} {form}", text("name"));
            signatures += 1;
        }

        let mut lines = text("query_canonical_request").lines().skip(1);
        let (path, query) = (lines.next().expect("a path"), lines.next().expect("a query"));
        if query.starts_with("X-Amz-Algorithm") && query.ends_with("X-Amz-SignedHeaders=host") {
            let mut own = String::new();
            day.push_query(&mut own, now, context["expiration_in_seconds"].as_u64().expect("seconds"));
            assert_eq!(own, query, "{}", text("name"));
            queries += 1;
        }
        // The suite encodes twice, so only what is not yet encoded in the request compares.
        let target = text("request").trim_start_matches("GET ").split(" HTTP/1.1").next().expect("a target");
        if ["get-unreserved", "get-utf8", "get-space-normalized", "get-space-unnormalized"]
            .contains(&text("name"))
        {
            let mut own = String::new();
            percent::push_path(&mut own, target);
            assert_eq!(own, path);
            paths += 1;
        }
    }
    assert_eq!((signatures, paths), (76, 4));
    assert!(queries >= 20, "{queries}");
}
